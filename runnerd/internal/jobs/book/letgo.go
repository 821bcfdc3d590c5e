package book

import "github.com/realm-mesh/realm/api"

// letGo is how a run stood that had ended when the first of its records was let go: there
// are only so many in all. It must not be executed again for that.
type letGo struct {
	view RunView
	gone map[api.Exec]bool // records that are not there any more
}

const letGoText = "what members said of it is not kept any more"

// dropped notes that the record of x is gone, of a run that had stood like that.
func (r *run) dropped(x api.Exec, before RunView) {
	if r.job.known && r.job.Body.Type == api.JobOneShot && r.let == nil && before.State.Ended() && before.Last != nil {
		r.let = &letGo{view: before, gone: map[api.Exec]bool{}}
	}
	if r.let != nil {
		r.let.gone[x] = true
	}
}

// returned notes that a record of x is there. With all of them back, they say how r stands.
func (r *run) returned(x api.Exec) {
	if r.let == nil {
		return
	}
	if delete(r.let.gone, x); len(r.let.gone) == 0 {
		r.let = nil
	}
}

// stay has v, as what is left of the records makes it, be as it was, if nobody has
// executed the run again since.
func (r *run) stay(v *RunView) {
	if r.let == nil || v.State.Ended() || v.Current != nil || v.Epoch > r.let.view.Epoch {
		return
	}
	was := &r.let.view
	v.State, v.Reason, v.Accepted, v.Epoch = was.State, was.Reason, was.Accepted, was.Epoch
	if v.Reason == "" {
		v.Reason = letGoText
	}
}

// SetOver says that a run of a known job has ended like that, by records that may not be
// there any more.
func (b *Book) SetOver(id ID, state api.JobState, epoch int) {
	r := b.find(id)
	if r == nil || r.let != nil || r.job.Body.Type != api.JobOneShot {
		return
	}
	r.let = &letGo{view: RunView{State: state, Epoch: epoch}, gone: map[api.Exec]bool{{}: true}}
	b.derive(r)
	b.settle(r.job)
}

// LetGo reports whether a run has ended by records of which some are not kept any more.
func (b *Book) LetGo(id ID) bool {
	r := b.find(id)
	return r != nil && r.let != nil
}
