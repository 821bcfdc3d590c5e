//go:build unix

package keyagent

import (
	"errors"
	"os"
	"testing"
	"time"
)

// A folder that is not the user's own is not a place for a key.
func TestFolderMustBeOwn(t *testing.T) {
	_, at := newPlace(t)
	if err := os.Symlink(t.TempDir(), at.Dir()); err != nil {
		t.Fatal(err)
	}
	if _, err := NewClient(at).Until(public); err == nil || errors.Is(err, ErrNotRunning) {
		t.Errorf("asked there: %v", err)
	}
	s, err := newServer(held, newDeadline(time.Now().Add(time.Hour), newClock()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listen(t.Context(), at, s); err == nil {
		t.Error("listens there")
	}
}
