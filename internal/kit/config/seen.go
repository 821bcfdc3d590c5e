package config

import (
	"fmt"
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
	if n.TraceRatio < 0 || n.TraceRatio > 1 || n.TraceRatio != n.TraceRatio {
		return fmt.Errorf("%w: trace_ratio %v: want a share of the requests, above 0 and up to 1", ErrInvalid, n.TraceRatio)
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

// accessLog is the setting access_log.
func accessLog() setting {
	return setting{"access_log", func(n *Node, v string) (err error) {
		n.AccessLog, err = strconv.ParseBool(v)
		return err
	}, func(n *Node) string {
		if !n.AccessLog {
			return ""
		}
		return strconv.FormatBool(n.AccessLog)
	}}
}
