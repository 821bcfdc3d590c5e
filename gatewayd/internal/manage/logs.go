package manage

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
)

// Limits of one answer.
const (
	defaultTail = 200
	maxTail     = 10_000   // lines
	maxText     = 8 << 20  // bytes of lines
	maxRead     = 64 << 20 // bytes of files
	maxLogs     = 1024     // programs at once, those that wrote last
)

// logged are the kinds of programs whose logs are kept by their names.
var logged = []api.Kind{api.KindComponent, api.KindFunction}

// all, in place of a name, means every program.
const all = "__all__"

// headerCut says, in an answer, why lines may be missing in it.
const headerCut = "Realm-Incomplete"

// logs answers /logs.
func (n Node) logs(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("job") != "" {
		n.jobLogs(w, r)
		return
	}
	q, err := parseQuery(r.URL.Query(), time.Now())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if q.follow {
		n.follow(w, r, q)
		return
	}
	found, err := findLogs(n.Logs)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if q.name == "" {
		listNames(w, found)
		return
	}
	mine := q.of(found)
	if len(mine) == 0 && q.name != all {
		http.Error(w, fmt.Sprintf("%q has no logs on this node: GET /logs lists what has", q.name), http.StatusNotFound)
		return
	}
	t, err := tailOf(r.Context(), mine, q, nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	show(w, t, q.name == all || len(mine) > 1)
}

// of are those of the logs that q asks for.
func (q *query) of(found []workloadLog) []workloadLog {
	return slices.DeleteFunc(found, func(l workloadLog) bool { return !q.about(l.ref) })
}

// about reports whether q asks for the log of r.
func (q *query) about(r api.Ref) bool { return q.name == all || q.name == string(r.Name) }

func listNames(w http.ResponseWriter, found []workloadLog) {
	names := make([]string, 0, len(found))
	for _, l := range found {
		names = append(names, string(l.ref.Name))
	}
	slices.Sort(names)
	w.Header().Set("Content-Type", textType)
	for _, name := range slices.Compact(names) {
		fmt.Fprintln(w, name)
	}
}

// show writes lines, the oldest first. named puts KIND/NAME into each.
func show(w http.ResponseWriter, t tail, named bool) {
	w.Header().Set("Content-Type", textType)
	if t.cut != "" {
		w.Header().Set(headerCut, t.cut)
	}
	out := bufio.NewWriter(w)
	for _, e := range slices.Backward(t.lines) {
		out.WriteString(e.shown(named)) //nolint:errcheck // told by Flush
		out.WriteByte('\n')             //nolint:errcheck // told by Flush
	}
	_ = out.Flush() // fails only when the client has gone
}

// workloadLog is the log of one program on this node.
type workloadLog struct {
	ref     api.Ref
	paths   []string // newest first
	written int64    // when it was last written, Unix nanoseconds
}

// findLogs lists the programs that have logs under dir, those that wrote last first.
func findLogs(dir string) ([]workloadLog, error) {
	var out []workloadLog
	for _, kind := range logged {
		folder := filepath.Join(dir, string(kind))
		entries, err := os.ReadDir(folder)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list logs: %w", err)
		}
		for _, e := range entries {
			name, isLog := strings.CutSuffix(e.Name(), ".log")
			n, err := api.ParseName(name)
			info, infoErr := e.Info()
			if !isLog || err != nil || infoErr != nil || !info.Mode().IsRegular() {
				continue // an older file, or none of ours
			}
			out = append(out, workloadLog{api.Ref{Kind: kind, Name: n}, withOlder(folder, name, entries), info.ModTime().UnixNano()})
		}
	}
	slices.SortFunc(out, func(a, b workloadLog) int { return cmp.Compare(b.written, a.written) })
	return out[:min(len(out), maxLogs)], nil
}
