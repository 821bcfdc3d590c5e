package storetest

import (
	"bytes"
	"context"
	"sync"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/meshd/internal/intents"
)

// Memory is a store that forgets everything with the process. It is for tests of
// what stands on a store, and passes [Run] itself.
type Memory struct {
	mu   sync.Mutex
	rev  uint64
	data map[api.Ref]intents.Stored
	fail error
}

// NewMemory makes an empty store.
func NewMemory() *Memory { return &Memory{data: map[api.Ref]intents.Stored{}} }

// Fail makes every call fail with err until it is called with nil.
func (m *Memory) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

// Lose removes what is stored for ref.
func (m *Memory) Lose(ref api.Ref) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.data, ref)
}

// All implements [intents.Store].
func (m *Memory) All(context.Context) ([]intents.Stored, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []intents.Stored
	for _, s := range m.data {
		out = append(out, s)
	}
	return out, m.fail
}

// Get implements [intents.Store].
func (m *Memory) Get(_ context.Context, ref api.Ref) (intents.Stored, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.data[ref]
	switch {
	case m.fail != nil:
		return intents.Stored{}, m.fail
	case !ok:
		return intents.Stored{}, intents.ErrNotFound
	}
	return s, nil
}

// Put implements [intents.Store].
func (m *Memory) Put(_ context.Context, ref api.Ref, envelope []byte, revision uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.fail != nil:
		return m.fail
	case m.data[ref].Revision != revision:
		return intents.ErrConflict
	}
	m.rev++
	m.data[ref] = intents.Stored{Ref: ref, Envelope: bytes.Clone(envelope), Revision: m.rev}
	return nil
}
