package cli

import (
	"strconv"

	"github.com/spf13/pflag"

	"github.com/realm-mesh/realm/internal/kit/config"
)

// seenFlags are the settings of what is to be seen of requests.
type seenFlags struct {
	otlpEndpoint string
	traceRatio   float64
	accessLog    bool
}

func (s *seenFlags) declare(f *pflag.FlagSet) {
	f.StringVar(&s.otlpEndpoint, "otlp-endpoint", "", "address of a collector that traces of requests are sent to, by OTLP over HTTP, such as http://127.0.0.1:4318 (default: none)")
	f.Float64Var(&s.traceRatio, "trace-ratio", 1, "share of the requests that are traced of which the client says nothing, 0 to 1")
	f.BoolVar(&s.accessLog, "access-log", false, "write a line for each request to logs/access.log in the home")
}

func (s *seenFlags) over(c *config.Node, given func(flag string) bool) {
	if given("otlp-endpoint") {
		c.OTLPEndpoint = s.otlpEndpoint
	}
	if given("trace-ratio") {
		c.TraceRatio = &s.traceRatio
	}
	if given("access-log") {
		c.AccessLog = s.accessLog
	}
}

// seenView is those settings in JSON, by their names in config.toml.
type seenView struct {
	OTLPEndpoint string   `json:"otlp_endpoint,omitempty"`
	TraceRatio   *float64 `json:"trace_ratio,omitempty"`
	AccessLog    bool     `json:"access_log,omitempty"`
}

func newSeenView(c config.Node) seenView { return seenView{c.OTLPEndpoint, c.TraceRatio, c.AccessLog} }

// seenRows are those that are set, for people.
func seenRows(c config.Node) (rows [][2]string) {
	if c.OTLPEndpoint != "" {
		rows = append(rows, [2]string{"otlp_endpoint", c.OTLPEndpoint})
	}
	if c.TraceRatio != nil {
		rows = append(rows, [2]string{"trace_ratio", strconv.FormatFloat(*c.TraceRatio, 'g', -1, 64)})
	}
	if c.AccessLog {
		rows = append(rows, [2]string{"access_log", "true"})
	}
	return rows
}
