package owner

import (
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// JobRef is what intents about the job with this id are about.
func JobRef(id api.Name) api.Ref { return api.Ref{Kind: api.KindJob, Name: id} }

// SubmitJob asks for a job that begins before expires; zero: it need not.
func SubmitJob(target api.Target, body *api.Job, expires time.Time) Change {
	return func(*intent.Signed) (Wanted, error) {
		return Wanted{Target: target, Body: body, Expires: expires}, body.Validate()
	}
}

// CancelJob ends what goes on of a job. Where that is asked for already it is
// [ErrUnchanged].
func CancelJob() Change {
	return func(cur *intent.Signed) (Wanted, error) {
		if cur == nil || cur.Tombstone {
			return Wanted{}, ErrUnknown
		}
		j, err := cur.Job()
		if err != nil {
			return Wanted{}, err
		}
		if j.Cancelled {
			return Wanted{}, ErrUnchanged
		}
		j.Cancelled = true
		return Wanted{Target: cur.Target, Body: j, Expires: cur.Expires}, nil
	}
}
