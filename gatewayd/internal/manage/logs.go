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
	"strconv"
	"strings"

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

// all, in place of a name, means every program.
const all = "__all__"

// logs answers /logs.
func (n Node) logs(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	tail, err := parseTail(q.Get("tail"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	found, err := findLogs(n.Logs)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	switch name := q.Get("component"); name {
	case "":
		listNames(w, found)
	case all:
		n.showTail(w, found, tail, true)
	default:
		if _, err := api.ParseName(name); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		mine := slices.DeleteFunc(found, func(l workloadLog) bool { return string(l.ref.Name) != name })
		if len(mine) == 0 {
			http.Error(w, fmt.Sprintf("%q has no logs on this node: GET /logs lists what has", name), http.StatusNotFound)
			return
		}
		n.showTail(w, mine, tail, len(mine) > 1)
	}
}

func parseTail(s string) (int, error) {
	if s == "" {
		return defaultTail, nil
	}
	v, err := strconv.Atoi(s)
	if err != nil || v < 0 {
		return 0, fmt.Errorf("tail %.20q: want a number of lines, at most %d", s, maxTail)
	}
	return min(v, maxTail), nil
}

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

// showTail writes the last lines, the oldest first.
func (n Node) showTail(w http.ResponseWriter, logs []workloadLog, tail int, named bool) {
	lines, err := tailOf(logs, tail, named)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", textType)
	out := bufio.NewWriter(w)
	for _, l := range slices.Backward(lines) {
		out.WriteString(l)  //nolint:errcheck // told by Flush
		out.WriteByte('\n') //nolint:errcheck // told by Flush
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
	for _, kind := range []api.Kind{api.KindComponent, api.KindFunction} {
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
