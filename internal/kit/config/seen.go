package config

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
)

// tracesPath is what is added to the address of a collector (OpenTelemetry's OTLP exporter
// specification, "Endpoint URLs for OTLP/HTTP").
const tracesPath = "/v1/traces"

// TracesURL is where a collector takes traces.
func TracesURL(endpoint string) string {
	if strings.HasSuffix(endpoint, tracesPath) {
		return endpoint
	}
	return strings.TrimSuffix(endpoint, "/") + tracesPath
}

func (n Node) validateSeen() error {
	if r := n.Traced(); r < 0 || r > 1 || math.IsNaN(r) {
		return fmt.Errorf("%w: trace_ratio %v: want a share of the requests, 0 to 1", ErrInvalid, r)
	}
	if n.OTLPEndpoint == "" {
		return nil
	}
	u, err := url.Parse(n.OTLPEndpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || len(n.OTLPEndpoint) > maxPath {
		return fmt.Errorf("%w: otlp_endpoint %.200q: want the address of a collector that speaks OTLP over HTTP, such as http://127.0.0.1:4318", ErrInvalid, n.OTLPEndpoint)
	}
	return nil
}

// Traced is which share of the requests is traced of which the client says nothing.
func (n Node) Traced() float64 {
	if n.TraceRatio == nil {
		return 1
	}
	return *n.TraceRatio
}

// traceRatio is the setting trace_ratio.
func traceRatio() setting {
	return setting{"trace_ratio", func(n *Node, v string) error {
		r, err := strconv.ParseFloat(v, 64)
		n.TraceRatio = &r
		return err
	}, func(n *Node) string {
		if n.TraceRatio == nil {
			return ""
		}
		return strconv.FormatFloat(*n.TraceRatio, 'g', -1, 64)
	}}
}
