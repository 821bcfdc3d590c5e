package route

import (
	"maps"

	"github.com/realm-mesh/realm/api"
)

// executions are those of jobs that have not ended, by their key in the bucket.
type executions map[string]execution

// execution is what a record says that matters here.
type execution struct {
	api.Exec
	job   api.Name
	ready bool
}

// ResetRecords begins a new set of records.
func (b *Book) ResetRecords() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nextExecs = executions{}
}

// SyncedRecords makes the set that was collected since [Book.ResetRecords] count.
func (b *Book) SyncedRecords() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.nextExecs != nil {
		b.execs, b.nextExecs, b.haveExecs = b.nextExecs, nil, true
		b.serve()
	}
}

// PutRecord notes what a member says of an execution, and reports whether that matters.
func (b *Book) PutRecord(key string, rec *api.JobRecord) (news bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if rec.State.Ended() {
		return b.deleteRecord(key)
	}
	set := b.execs
	if b.nextExecs != nil {
		set = b.nextExecs
	}
	x := execution{rec.Exec(), rec.Job, rec.Ready}
	if set[key] == x {
		return false
	}
	set[key] = x
	if b.nextExecs == nil {
		b.serve()
	}
	return true
}

// DeleteRecord forgets an execution, and reports whether it mattered.
func (b *Book) DeleteRecord(key string) (news bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.deleteRecord(key)
}

func (b *Book) deleteRecord(key string) (news bool) {
	if b.nextExecs != nil {
		delete(b.nextExecs, key)
		return true
	}
	if _, news = b.execs[key]; news {
		delete(b.execs, key)
		b.serve()
	}
	return news
}

// serve finds out where services answer: of each run the execution with the highest epoch
// counts, if it is ready. b.mu is held.
func (b *Book) serve() {
	type run struct {
		root api.Digest
		key  api.RunKey
	}
	newest := map[run]execution{}
	for _, x := range b.execs {
		id := run{x.Root, x.Run}
		if old, ok := newest[id]; !ok || x.Compare(old.Exec) > 0 {
			newest[id] = x
		}
	}
	services := facts{}
	for _, x := range newest {
		if !x.ready {
			continue
		}
		ref := api.Ref{Kind: api.KindJob, Name: x.job}
		if services[ref] == nil {
			services[ref] = map[api.PeerID]Replica{}
		}
		services[ref][x.Peer] = Replica{Peer: x.Peer, State: api.StateRunning, Answers: true}
	}
	for _, set := range []facts{b.services, services} {
		for ref := range set {
			if !maps.Equal(b.services[ref], services[ref]) {
				b.stale[ref] = true
			}
		}
	}
	b.services = services
}

// named finds the services by name: their ids, and what these begin with, which means the
// newest.
func named(refs map[api.Ref][]Replica) map[api.Name]api.Ref {
	out, numbers := map[api.Name]api.Ref{}, map[api.Name]int{}
	for ref := range refs {
		if ref.Kind != api.KindJob {
			continue
		}
		base, n, ok := api.SplitJobID(ref.Name)
		if before := out[base]; ok && (n > numbers[base] || n == numbers[base] && ref.Name > before.Name) {
			out[base], numbers[base] = ref, n
		}
	}
	for ref := range refs {
		if ref.Kind == api.KindJob {
			out[ref.Name] = ref
		}
	}
	return out
}

// Service is the service of that name: its id, or what that begins with.
func (t *Table) Service(name api.Name) (ref api.Ref, ok bool) {
	ref, ok = t.services[name]
	return ref, ok
}
