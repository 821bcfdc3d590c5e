package shim

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
)

func TestFlood(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := logs.Open(api.Ref{Kind: api.KindComponent, Name: "x"}, path, func(api.Ref, api.LogLine) {}, slog.New(slog.DiscardHandler))
	defer l.Close()
	f := newFlood(l.Writer(logs.Stdout))
	now := time.Now()
	long := strings.Repeat("x", 1000)
	const n = 40_000 // lines, of 40 MB together
	for i := range n {
		f.write(fmt.Appendf(nil, "%d %s\n", i, long), now)
	}
	if !f.leaving || cap(f.last) > 4*floodLast {
		t.Errorf("leaving %v, %d bytes held", f.leaving, cap(f.last))
	}
	left := f.lines
	f.write([]byte("calm\n"), now.Add(floodCalm*2))
	if f.leaving {
		t.Error("it goes on leaving out")
	}
	f.end()
	got, err := logs.Last(path, 1000)
	if err != nil || len(got) < floodLast/2000 || got[len(got)-1].Line != "calm" || !strings.HasPrefix(got[len(got)-2].Line, fmt.Sprint(n-1, " ")) {
		t.Fatalf("%d lines, %v", len(got), err)
	}
	for i, line := range got {
		if strings.HasPrefix(line.Line, "(") {
			if want := fmt.Sprintf("(%d lines came", left+1); !strings.HasPrefix(line.Line, want) || !strings.HasPrefix(got[i+1].Line, fmt.Sprint(n-(len(got)-i-2), " ")) {
				t.Errorf("%s, then %.20s", line.Line, got[i+1].Line)
			}
			return
		}
	}
	t.Error("nothing says that lines are left out")
}
