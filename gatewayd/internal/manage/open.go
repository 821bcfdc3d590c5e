package manage

import (
	"errors"
	"net/http"
	"time"

	"github.com/realm-mesh/realm/internal/kit/local"
)

// maxScrapes is how many strangers may read the metrics at once: each has all daemons
// asked.
const maxScrapes = 4

// scrapeTimeout is how long one of them may take.
const scrapeTimeout = 10 * time.Second

// NewMetrics returns the handler of a listener that is open to others: GET /metrics,
// and nothing else.
func NewMetrics(n Node) http.Handler {
	places := make(chan struct{}, maxScrapes)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(scrapeTimeout)) // a connection has one
			n.metrics(w, r)
		default:
			w.Header().Set("Retry-After", "1")
			local.WriteError(w, http.StatusServiceUnavailable, errors.New("too many read the metrics at once: try again in a second"))
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		local.WriteError(w, http.StatusNotFound, errors.New("only GET /metrics is answered here"))
	})
	return private(mux)
}
