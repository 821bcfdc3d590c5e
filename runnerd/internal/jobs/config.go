package jobs

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/over"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/plan"
)

// Peers asks other members. Each call is bounded by its context.
type Peers interface {
	Claim(context.Context, api.PeerID, *api.JobClaims) (*api.JobAnswers, error)
	Take(context.Context, api.PeerID, *api.JobTake) (*api.JobTaken, error)
	Vote(context.Context, api.PeerID, *api.JobVote) (*api.JobVoted, error)
	Tail(context.Context, api.PeerID, *api.JobTail) error
	// Logs opens what the member itself has of a job's output: path and query of
	// [api.RouteJobLogs]. The caller closes the body.
	Logs(ctx context.Context, p api.PeerID, path string) (*http.Response, error)
}

// Config says what a Manager works with.
type Config struct {
	Self api.PeerID
	// Sign makes a record one that others believe; Read is its inverse.
	Sign func(api.JobRecord) ([]byte, error)
	Read func(raw []byte) (api.JobRecord, error)
	// Write has a record of this node's be kept, and told to others. It does not block.
	Write    func(x api.Exec, raw []byte)
	Realm    func() (api.RealmID, error)
	Peers    Peers
	Executor Executor
	Output   Output
	Blobs    Blobs
	Votes    Votes
	Over     Over
	Room     func() plan.Room // what the node has for jobs in all
	Now      func() time.Time // the node's clock, which never goes back
	// Confined says what of the confinement of native jobs does not work here, for people.
	Confined func() []string
	// Ended is told of each execution of this node's that has ended; nil: nobody is.
	Ended func(*api.JobRecord)
	// Leaving reports whether the whole node goes down, and not this daemon alone.
	Leaving func(context.Context) bool
	Log     *slog.Logger
}

// Order is an execution to be carried out.
type Order struct {
	Job  api.Name // its id, as it is addressed
	Exec api.Exec
	Body *api.Job
	// Assets are all of Body.Assets, with the blobs of those that other jobs have made.
	Assets []api.JobAsset
	// Ports are where it is to listen, by the names of its ports; the executor chooses them.
	Ports map[api.Name]int `json:",omitempty"`
}

// Change is what has become of an execution. Zero values leave what was said before.
type Change struct {
	State     api.ExecState
	Reason    string
	Ready     bool
	Started   time.Time
	Ended     time.Time
	Exit      *int
	Signal    string
	TimedOut  bool
	Usage     api.JobUsage
	Artifacts []api.JobOutput
	Said      string
	Log       api.BlobInfo
}

// Execution is one that goes on.
type Execution interface {
	// Stop has it end, and recorded as that, unless it ends by itself before. It returns at once.
	Stop(as api.ExecState, why string)
	// Over is closed when the last change was reported, and nothing of it runs any more.
	Over() <-chan struct{}
}

// Server is an [Execution] whose program may listen.
type Server interface {
	// Dial connects to a port of it. An error says for people why that cannot be.
	Dial(ctx context.Context, port api.Name) (net.Conn, error)
}

// Found is an execution that an earlier process of this daemon has begun.
type Found struct {
	api.Exec
	// Resume goes on with it; nil: it is over, and Last says how.
	Resume func(report func(Change)) Execution
	Last   Change
}

// Executor carries out executions. report is called for each change, in their order; the
// last one has a State that is an end. It must not block.
type Executor interface {
	Begin(o Order, report func(Change)) Execution
	// Recover finds what was begun before. It is called once, before Begin.
	Recover() ([]Found, error)
	// Kept says that the last change is in a record which is safe: what is left of the
	// execution may go, but for output that is nowhere else.
	Kept(api.Exec)
	// Forget removes what is left of an execution: its record is gone.
	Forget(api.Exec)
}

// Votes is this node as an elector: package votes.
type Votes interface {
	// Vote answers who has the vote, once that is on disk.
	Vote(v api.JobVote, from api.PeerID) (api.PeerID, error)
	// Forget removes the votes of jobs that are not to be kept.
	Forget(keep func(root api.Digest) bool) error
}

// Over remembers runs that have ended and whose records go: package over.
type Over interface {
	Add(over.Run) error
	Of(root api.Digest) []over.Run
	Forget(keep func(root api.Digest) bool) error
}
