package jobs

import (
	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/over"
)

// Record takes in what a member says, and how it was signed. What this node says itself
// comes back from the bus, and is known.
func (m *Manager) Record(rec api.JobRecord, raw []byte) {
	x := rec.Exec()
	m.mu.Lock()
	if m.book.Put(rec) {
		m.raw[x], m.keys[api.KeyRecord(x)] = raw, x
	}
	_, goesOn := m.own[x]
	m.mu.Unlock()
	switch {
	case !rec.State.Ended():
	case x.Peer == m.cfg.Self && !goesOn: // its result is safe on the bus
		m.cfg.Executor.Kept(x)
	case rec.Said != "" || !rec.Log.SHA256.IsZero():
		m.cfg.Output.Drop(x)
	}
	m.rouse()
}

// Forget takes in that a record is not kept any more; key is that of the bucket.
func (m *Manager) Forget(key string) {
	m.mu.Lock()
	x, known := m.keys[key]
	if known {
		m.book.Drop(x)
		delete(m.raw, x)
		delete(m.keys, key)
	}
	_, goesOn := m.own[x]
	id := book.ID{Root: x.Root, Run: x.Run}
	v, ended := m.book.Run(x.Root, x.Run), m.book.LetGo(id)
	m.mu.Unlock()
	if !known {
		return
	}
	if ended && v.State.Ended() {
		m.remember(v)
	}
	if x.Peer == m.cfg.Self && !goesOn {
		m.cfg.Executor.Forget(x)
	}
	m.cfg.Output.Drop(x)
	m.rouse()
}

// remember has a run that has ended stay so, although its records go.
func (m *Manager) remember(v book.RunView) {
	if err := m.cfg.Over.Add(over.Run{Root: v.Root, Run: v.Run, Epoch: v.Epoch, State: v.State}); err != nil {
		m.cfg.Log.Warn("a run that has ended may be executed again", "run", string(v.Run), telemetry.Error(err))
	}
}

// Only takes in that of the records that there were no others are kept but those with these
// keys. What this node says itself may be on its way there.
func (m *Manager) Only(keys map[string]bool) {
	var gone []string
	m.mu.Lock()
	for key, x := range m.keys {
		if !keys[key] && x.Peer != m.cfg.Self {
			gone = append(gone, key)
		}
	}
	m.mu.Unlock()
	for _, key := range gone {
		m.Forget(key)
	}
}
