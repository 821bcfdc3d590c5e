package over_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/over"
)

func open(t *testing.T, path string) *over.Table {
	t.Helper()
	table, err := over.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func run(job string, index int) over.Run {
	return over.Run{Root: api.Sum([]byte(job)), Run: api.RunKey(string(rune('0' + index%10))), Epoch: index + 1, State: api.JobSucceeded}
}

// TestTable: what was added is there after a restart, also beside a line that a crash cut
// off, until its job is forgotten.
func TestTable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "over.log")
	table := open(t, path)
	for _, r := range []over.Run{run("a", 0), run("a", 1), run("b", 0), run("a", 1)} {
		if err := table.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range 20 {
		if err := os.WriteFile(path, append(whole[:len(whole):len(whole)], whole[:cut]...), 0o600); err != nil {
			t.Fatal(err)
		}
		table = open(t, path)
		if err := table.Add(run("c", cut)); err != nil {
			t.Fatal(err)
		}
		table = open(t, path)
		if a, c := table.Of(run("a", 0).Root), table.Of(run("c", 0).Root); len(a) != 2 || len(c) != 1 || c[0] != run("c", cut) {
			t.Fatalf("cut after %d: %v, %v", cut, a, c)
		}
	}
	if err := table.Forget(func(root api.Digest) bool { return root == run("b", 0).Root }); err != nil {
		t.Fatal(err)
	}
	if len(table.Of(run("a", 0).Root)) != 0 || len(table.Of(run("b", 0).Root)) != 1 {
		t.Error("the wrong ones were forgotten")
	}
}

// TestRewrite: the file does not grow for ever.
func TestRewrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "over.log")
	table := open(t, path)
	for i := range 2000 {
		if err := table.Add(run("a", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.Forget(func(api.Digest) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() > 4<<10 {
		t.Errorf("%v, %v", info, err)
	}
	if err := table.Add(run("b", 0)); err != nil {
		t.Fatal(err)
	}
	if again := open(t, path); len(again.Of(run("a", 0).Root)) != 10 || len(again.Of(run("b", 0).Root)) != 1 {
		t.Error("not all is there")
	}
}
