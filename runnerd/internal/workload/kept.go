package workload

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// Kept are the envelopes of the versions that were last brought to run, one file
// each. They are checked again when they are read: a file is no authority.
type Kept struct {
	// Path is where the envelope of a workload lies.
	Path func(api.Ref) string
	// Open checks an envelope: its signature, and that its signer has a say.
	Open func([]byte) (intent.Signed, error)

	writing sync.Mutex // one at a time: thousands would take a thread each
}

// Save keeps the envelope of s.
func (k *Kept) Save(s intent.Signed) error {
	k.writing.Lock()
	defer k.writing.Unlock()
	path := k.Path(s.Ref)
	if b, err := os.ReadFile(path); err == nil && bytes.Equal(b, s.Envelope) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("keep intent: %w", err)
	}
	if err := disk.Room(filepath.Dir(path), int64(len(s.Envelope)), disk.ReserveState); err != nil {
		return fmt.Errorf("keep intent: %w", err)
	}
	return replace(path, s.Envelope)
}

// replace swaps the file at path, which has one writer, for one with data. It does
// not wait for the disk, which thousands of these would keep busy: a power cut may
// cost the version to go back to, and nothing else.
func replace(path string, data []byte) error {
	next := path + ".next"
	err := os.WriteFile(next, data, 0o600)
	if err == nil {
		err = os.Rename(next, path)
	}
	if err != nil {
		_ = os.Remove(next) // why it failed says more
		return fmt.Errorf("keep intent: %w", err)
	}
	return nil
}

// Load returns the version that was kept; false where there is none that can be trusted.
func (k *Kept) Load(ref api.Ref) (intent.Signed, bool) {
	return k.Last(intent.Signed{Intent: api.Intent{Ref: ref}})
}

// Last is [Kept.Load] for the workload of s, which is trusted: thousands whose wanted
// version is the one that was kept cost no signature each.
func (k *Kept) Last(s intent.Signed) (intent.Signed, bool) {
	b, err := os.ReadFile(k.Path(s.Ref))
	switch {
	case err != nil || len(b) > api.MaxEnvelope:
		return intent.Signed{}, false
	case bytes.Equal(b, s.Envelope):
		return s, true
	}
	last, err := k.Open(b)
	return last, err == nil && last.Ref == s.Ref
}

// Has reports whether a version was kept. Whether it can be trusted is for [Kept.Load].
func (k *Kept) Has(ref api.Ref) bool {
	_, err := os.Stat(k.Path(ref))
	return err == nil
}

// Delete drops the version that was kept, if any.
func (k *Kept) Delete(ref api.Ref) error {
	if err := os.Remove(k.Path(ref)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("drop kept intent: %w", err)
	}
	return nil
}
