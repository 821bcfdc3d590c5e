package trace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/buildinfo"
	"github.com/realm-mesh/realm/internal/kit/config"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

const (
	sendEvery = 2 * time.Second // spans that wait to be sent
	sendTime  = 5 * time.Second // for one batch, with what is tried again
	closeTime = 2 * time.Second // for the last one
	maxError  = 512             // bytes of why a span failed
)

// Tracer makes spans for one daemon. The nil Tracer makes none. It is safe for use by
// several goroutines.
type Tracer struct {
	tracer   trace.Tracer
	provider *sdk.TracerProvider
	headers  propagation.TraceContext
}

// New returns the tracer of a daemon: nil, if c has no collector. What cannot be sent is
// told to log, and lost.
func New(ctx context.Context, c config.Node, d api.Daemon, self api.PeerID, log *slog.Logger) (*Tracer, error) {
	endpoint := Endpoint(c)
	if endpoint == "" {
		return nil, nil
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint), otlptracehttp.WithTimeout(sendTime))
	if err != nil {
		return nil, fmt.Errorf("%w: otlp_endpoint: %w", config.ErrInvalid, err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(seldom(func(err error) {
		log.Warn("traces were not sent; this is said once a minute at most", telemetry.Error(err))
	})))
	host, _ := os.Hostname() // without it the peer id has to do
	attributes := []attribute.KeyValue{
		attribute.String("service.name", string(d)), attribute.String("service.namespace", "realm"),
		attribute.String("service.version", buildinfo.Version), attribute.String("service.instance.id", string(self)),
		attribute.String("host.name", host),
	}
	provider := sdk.NewTracerProvider(
		sdk.WithBatcher(exporter, sdk.WithBatchTimeout(sendEvery), sdk.WithExportTimeout(sendTime)),
		sdk.WithResource(resource.NewSchemaless(attributes...)),
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(c.Traced()))),
	)
	return &Tracer{tracer: provider.Tracer("github.com/realm-mesh/realm"), provider: provider}, nil
}

// seldom calls tell once in each minute at most: a collector that is away is tried all the time.
func seldom(tell func(error)) func(error) {
	var last atomic.Int64 // Unix nanoseconds
	return func(err error) {
		now, before := time.Now().UnixNano(), last.Load()
		if now-before > int64(time.Minute) && last.CompareAndSwap(before, now) {
			tell(err)
		}
	}
}

// Endpoint is the collector that c, or else the environment variables of OpenTelemetry, name;
// "" for none.
func Endpoint(c config.Node) string {
	if c.OTLPEndpoint != "" {
		return config.TracesURL(c.OTLPEndpoint)
	}
	if os.Getenv("OTEL_SDK_DISABLED") == "true" {
		return ""
	}
	if u := os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"); u != "" {
		return u // as it is
	}
	if u := os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"); u != "" {
		return config.TracesURL(u)
	}
	return ""
}

// Run sends what is left when ctx ends.
func (t *Tracer) Run(ctx context.Context) error {
	if t == nil {
		return nil
	}
	<-ctx.Done()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	_ = t.provider.Shutdown(last) // the error handler has told what was lost
	return nil
}

// Span is one part of a request's way. The nil Span is none.
type Span struct {
	span trace.Span
	t    *Tracer
}

// Serve begins the span of a request from outside: the first of a trace, or one more in that
// of the client.
func (t *Tracer) Serve(r *http.Request, name string) (*http.Request, *Span) {
	if t == nil {
		return r, nil
	}
	return t.begin(t.headers.Extract(r.Context(), propagation.HeaderCarrier(r.Header)), r, name)
}

// Join is [Tracer.Serve] for requests of other daemons: where none has begun a trace,
// there is no span.
func (t *Tracer) Join(r *http.Request, name string) (*http.Request, *Span) {
	if t == nil || r.Header.Get("Traceparent") == "" {
		return r, nil
	}
	ctx := t.headers.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return r, nil
	}
	return t.begin(ctx, r, name)
}

func (t *Tracer) begin(ctx context.Context, r *http.Request, name string) (*http.Request, *Span) {
	ctx, span := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", method(r.Method)),
		attribute.String("network.protocol.version", fmt.Sprintf("%d.%d", r.ProtoMajor, r.ProtoMinor))))
	return r.WithContext(ctx), &Span{span, t}
}

// method is the name of a method that is known; others are not given by strangers to what
// counts traces by it.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return m
	}
	return "_OTHER"
}

// Child begins a span within that of ctx; if there is none, neither is this.
func (t *Tracer) Child(ctx context.Context, name string) (context.Context, *Span) {
	return t.within(ctx, name, trace.SpanKindInternal)
}

// Call is [Tracer.Child] for what asks another daemon.
func (t *Tracer) Call(ctx context.Context, name string) (context.Context, *Span) {
	return t.within(ctx, name, trace.SpanKindClient)
}

func (t *Tracer) within(ctx context.Context, name string, kind trace.SpanKind) (context.Context, *Span) {
	if t == nil || !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx, nil
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithSpanKind(kind))
	return ctx, &Span{span, t}
}

// Set adds an attribute.
func (s *Span) Set(key, value string) {
	if s != nil {
		s.span.SetAttributes(attribute.String(key, value))
	}
}

// Status adds the status of an answer; 0 for none. From 500 on the span has failed.
func (s *Span) Status(code int) {
	if s == nil || code == 0 {
		return
	}
	s.span.SetAttributes(attribute.Int("http.response.status_code", code))
	if code >= http.StatusInternalServerError {
		s.span.SetStatus(codes.Error, http.StatusText(code))
	}
}

// Fail marks the span with why it failed; nil and a caller that left are no failure.
func (s *Span) Fail(err error) {
	if s == nil || err == nil || errors.Is(err, context.Canceled) {
		return
	}
	text := err.Error()
	s.span.SetStatus(codes.Error, text[:min(len(text), maxError)])
}

// Into has h name the span as the parent of what comes next. It changes h.
func (s *Span) Into(ctx context.Context, h http.Header) {
	if s != nil {
		h.Del("Tracestate") // of a trace that was not gone on with, else it is written anew
		s.t.headers.Inject(trace.ContextWithSpan(ctx, s.span), propagation.HeaderCarrier(h))
	}
}

// TraceID is the id of the trace, in hex; "" without one.
func (s *Span) TraceID() string {
	if s == nil {
		return ""
	}
	return s.span.SpanContext().TraceID().String()
}

// End ends the span.
func (s *Span) End() {
	if s != nil {
		s.span.End()
	}
}
