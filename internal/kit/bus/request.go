package bus

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go/micro"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/buildinfo"
	"github.com/realm-mesh/realm/internal/kit/task"
)

// RemoteError is the error that the answering daemon returned.
type RemoteError struct{ Text string }

func (e *RemoteError) Error() string { return e.Text }

// Request asks the daemon behind subject and decodes its answer into reply. req is
// sent as JSON, a []byte as it is. Errors: [*RemoteError], [ErrDisconnected],
// [ErrForbidden], [ErrNoAnswer], or that of ctx.
func (c *Conn) Request(ctx context.Context, subject string, req any, reply api.Validator) error {
	data, ok := req.([]byte)
	if !ok {
		var err error
		if data, err = json.Marshal(req); err != nil {
			return fmt.Errorf("request %s: %w", subject, err)
		}
	}
	if len(data) > api.MaxMessage {
		return fmt.Errorf("request %s: %w: %d bytes", subject, api.ErrTooLarge, len(data))
	}
	ctx, end := c.begin(ctx, subject)
	m, err := c.nc.RequestWithContext(ctx, subject, data)
	if err = end(err); err != nil {
		return fmt.Errorf("request %s: %w", subject, err)
	}
	if text := m.Header.Get(micro.ErrorHeader); text != "" {
		return &RemoteError{text}
	}
	return api.Decode(m.Data, api.MaxMessage, reply)
}

// retryEvery is how long RequestRetry waits between tries.
const retryEvery = 50 * time.Millisecond

// RequestRetry is [Conn.Request] for requests that may be made twice: while the
// other side is away (its daemon restarts, the bus does) it asks again until ctx ends.
func (c *Conn) RequestRetry(ctx context.Context, subject string, req any, reply api.Validator) error {
	for {
		// The daemon may die with the request in its hands; nobody would tell.
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := c.Request(try, subject, req, reply)
		cancel()
		away := errors.Is(err, ErrDisconnected) || errors.Is(err, ErrNoAnswer) || errors.Is(err, context.DeadlineExceeded)
		if !away {
			return err
		}
		if c.awaitBus(ctx, retryEvery) != nil {
			return err
		}
	}
}

// Service answers requests to a daemon. It is a NATS micro service, so that ping,
// info and statistics come with it.
type Service struct {
	conn *Conn
	svc  micro.Service
	ctx  context.Context //nolint:containedctx // the life of the service, handed to its handlers

	slot    chan struct{} // held while a request is worked on
	stopped chan struct{} // closed by Stop
}

// maxRequests is how many requests of one service are worked on at once.
const maxRequests = 64

// NewService registers the daemon; its handlers get a context that ends with ctx.
func (c *Conn) NewService(ctx context.Context) (*Service, error) {
	svc, err := micro.AddService(c.nc, micro.Config{Name: string(c.daemon), Version: semver(buildinfo.Version)})
	if err != nil {
		return nil, fmt.Errorf("register %s: %w", c.daemon, err)
	}
	return &Service{conn: c, svc: svc, ctx: ctx, slot: make(chan struct{}, maxRequests), stopped: make(chan struct{})}, nil
}

var (
	reVersion  = regexp.MustCompile(`^v?((?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*))?(.*)$`)
	reNotBuild = regexp.MustCompile(`[^0-9A-Za-z]+`)
)

// semver turns a version into what micro takes, which wants no "v" and refuses a
// build that has only a commit: "1a2b3c4-dirty" is "0.0.0+1a2b3c4-dirty".
func semver(v string) string {
	m := reVersion.FindStringSubmatch(v)
	out := cmp.Or(m[1], "0.0.0")
	if build := strings.Trim(reNotBuild.ReplaceAllString(m[2], "-"), "-"); build != "" {
		out += "+" + build
	}
	return out
}

// HandleRaw answers requests on subject with what fn returns, as JSON. Requests
// are worked on side by side; a panic in fn is an error to the caller.
func (s *Service) HandleRaw(subject string, fn func(ctx context.Context, data []byte) (any, error)) error {
	name := lastToken(subject)
	err := s.svc.AddEndpoint(name, micro.HandlerFunc(func(r micro.Request) {
		select {
		case s.slot <- struct{}{}:
		case <-s.stopped:
			_ = r.Error("503", string(s.conn.daemon)+" is stopping", nil) // as in answer
			return
		}
		go func() {
			defer func() { <-s.slot }()
			s.answer(r, fn)
		}()
	}), micro.WithEndpointSubject(subject))
	if err != nil {
		return fmt.Errorf("serve %s: %w", subject, err)
	}
	if err := s.conn.confirm(subject); err != nil {
		return fmt.Errorf("serve %s: %w", subject, err)
	}
	return nil
}

func (s *Service) answer(r micro.Request, fn func(context.Context, []byte) (any, error)) {
	var reply any
	err := task.Guard(s.ctx, func(ctx context.Context) (err error) {
		reply, err = fn(ctx, r.Data())
		return err
	})
	var data []byte
	if err == nil {
		data, err = json.Marshal(reply)
	}
	if err == nil && len(data) > api.MaxMessage {
		err = fmt.Errorf("answer: %w", api.ErrTooLarge)
	}
	// An answer that cannot be sent has no reader left: the caller's own deadline tells it.
	if err != nil {
		// r.Error would write what micro reads since it has handed r over.
		_ = r.Respond(nil, micro.WithHeaders(micro.Headers{micro.ErrorHeader: {clip(err.Error(), 4<<10)}, micro.ErrorCodeHeader: {"500"}}))
		return
	}
	_ = r.Respond(data)
}

// Handle is [Service.HandleRaw] for JSON requests: Req is decoded and validated first.
func Handle[Req any, P interface {
	*Req
	api.Validator
}](s *Service, subject string, fn func(ctx context.Context, req P) (any, error)) error {
	return s.HandleRaw(subject, func(ctx context.Context, data []byte) (any, error) {
		req := P(new(Req))
		if err := api.Decode(data, api.MaxMessage, req); err != nil {
			return nil, err
		}
		return fn(ctx, req)
	})
}

// Stop takes no more requests and waits until those in flight are answered. It is
// called once.
func (s *Service) Stop() error {
	err := s.svc.Stop()
	for range maxRequests {
		s.slot <- struct{}{}
	}
	close(s.stopped)
	return err
}

func lastToken(subject string) string {
	for i := len(subject) - 1; i >= 0; i-- {
		if subject[i] == '.' {
			return subject[i+1:]
		}
	}
	return subject
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}
