package votes_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/votes"
)

func peer(c string) api.PeerID { return api.PeerID("12D3KooW" + strings.Repeat(c, 44)) }

var x, y, z = peer("x"), peer("y"), peer("z")

func open(t *testing.T, path string) *votes.Table {
	t.Helper()
	v, err := votes.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func claim(root string, epoch int) api.JobClaim {
	return api.JobClaim{Root: api.Sum([]byte(root)), Run: "0", Epoch: epoch}
}

func ask(t *testing.T, v *votes.Table, c api.JobClaim, from, want api.PeerID) {
	t.Helper()
	if got, err := v.Vote(api.JobVote{JobClaim: c}, from); err != nil || got != want {
		t.Errorf("vote for %s: %q, %v; want %q", from, got, err, want)
	}
}

// TestVotes: one member only has a vote, also after a restart, until it gives it back.
func TestVotes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "votes")
	v := open(t, path)
	a := claim("a", 1)
	ask(t, v, a, x, x)
	ask(t, v, a, y, x)
	ask(t, v, a, x, x)
	ask(t, v, claim("a", 2), y, y)
	ask(t, v, claim("b", 1), y, y)
	v.Close()
	if _, err := v.Vote(api.JobVote{JobClaim: claim("c", 1)}, x); err == nil {
		t.Error("a closed table votes")
	}

	v = open(t, path)
	ask(t, v, a, y, x)
	for _, from := range []api.PeerID{y, x, x} {
		if _, err := v.Vote(api.JobVote{JobClaim: a, Release: true}, from); err != nil {
			t.Fatal(err)
		}
		if from == y {
			ask(t, v, a, z, x)
		}
	}
	ask(t, v, a, z, z)
	if err := v.Forget(func(root api.Digest) bool { return root != a.Root }); err != nil || v.Len() != 1 {
		t.Errorf("%d votes are kept, want 1; %v", v.Len(), err)
	}
}

// TestCutOff: whatever part of the last line a crash leaves, those before it count.
func TestCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "votes")
	v := open(t, path)
	ask(t, v, claim("a", 1), x, x)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ask(t, v, claim("b", 1), x, x)
	v.Close()
	both, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := len(whole); n < len(both); n++ {
		if err := os.WriteFile(path, both[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		v := open(t, path)
		ask(t, v, claim("a", 1), y, x)
		ask(t, v, claim("b", 1), y, y)
		ask(t, v, claim("b", 1), x, y)
		v.Close()
	}
	if err := os.WriteFile(path, append([]byte("nonsense\n"), both...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := votes.Open(path); err == nil {
		t.Error("a damaged file is read")
	}
}

// TestRewrite: a file does not grow for ever.
func TestRewrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "votes")
	v := open(t, path)
	ask(t, v, claim("kept", 1), x, x)
	for i := range 1100 {
		ask(t, v, claim("a", i+1), x, x)
	}
	if err := v.Forget(func(root api.Digest) bool { return root == claim("kept", 1).Root }); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil || bytes.Count(data, []byte("\n")) != 1 {
		t.Errorf("%d lines, want 1; %v", bytes.Count(data, []byte("\n")), err)
	}
	ask(t, v, claim("b", 1), x, x)
	v.Close()
	v = open(t, path)
	ask(t, v, claim("kept", 1), y, x)
	ask(t, v, claim("b", 1), y, x)
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte("{\"root\":\"\"}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "votes")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if v, err := votes.Open(path); err == nil {
			v.Close()
		}
	})
}

// TestLate: what arrives late changes nothing.
func TestLate(t *testing.T) {
	v := open(t, filepath.Join(t.TempDir(), "votes"))
	a := claim("a", 1)
	send := func(from api.PeerID, round int64, release bool, want api.PeerID) {
		t.Helper()
		if got, err := v.Vote(api.JobVote{JobClaim: a, Round: round, Release: release}, from); err != nil || got != want {
			t.Errorf("round %d of %s, release %v: %q, %v; want %q", round, from, release, got, err, want)
		}
	}
	send(x, 1, false, x)
	send(x, 2, false, x)
	send(x, 1, true, x) // that of the first round, late
	send(y, 9, false, x)
	send(x, 2, true, "")
	send(x, 2, false, "") // late
	send(y, 10, false, y)
	send(x, 3, false, y)
	send(y, 10, true, "")
	send(x, 4, false, x)
}
