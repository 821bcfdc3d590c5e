package node

import (
	"net/http"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// jobTrips asks others about jobs. What reads may go on for as long as a job does; it
// leaves room for claims and votes, to which silence would be an answer.
type jobTrips struct{ reads, others http.RoundTripper }

func (n *Node) jobTrips() jobTrips {
	reads, others := n.transport(api.ServiceJob, 0), n.transport(api.ServiceJob, 0)
	reads.MaxConnsPerHost = p2p.StreamsJobReads
	others.MaxConnsPerHost = p2p.StreamsJob - p2p.StreamsJobReads
	return jobTrips{reads, others}
}

// RoundTrip implements [http.RoundTripper].
func (t jobTrips) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet {
		return t.reads.RoundTrip(r)
	}
	return t.others.RoundTrip(r)
}
