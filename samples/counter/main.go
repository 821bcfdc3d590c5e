// Command counter is a web program with a memory: each request counts one more, in a file
// of the volume at /data. It goes on from there after restarts, upgrades and rollbacks. A new
// volume begins with what the package seeds.
//
//	GET /          one more
//	GET /count     as it is
//	PUT /fill?mb=N write N MiB beside it, to see what a full volume does
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net/http"
	"net/http/cgi"
	"os"
	"strconv"
	"strings"
)

const (
	file = "/data/count"
	more = "/data/fill"
)

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { answer(w, 1) })
	mux.HandleFunc("GET /count", func(w http.ResponseWriter, _ *http.Request) { answer(w, 0) })
	mux.HandleFunc("PUT /fill", fill)
	if err := cgi.Serve(mux); err != nil {
		log.Fatal(err)
	}
}

// answer adds to the count, and tells it.
func answer(w http.ResponseWriter, add int) {
	n, err := count(add)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInsufficientStorage)
		return
	}
	fmt.Fprintln(w, n)
}

// count adds to the number in the file. Requests at the same moment may count as one: a
// program that cannot have that keeps a log, or a lock.
func count(add int) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(text))) // nothing is 0
	if add == 0 {
		return n, nil
	}
	if err := os.WriteFile(file+".next", []byte(strconv.Itoa(n+add)), 0o600); err != nil {
		return n, err
	}
	return n + add, os.Rename(file+".next", file)
}

// fill writes as many MiB as are asked for.
func fill(w http.ResponseWriter, r *http.Request) {
	mb, err := strconv.Atoi(r.URL.Query().Get("mb"))
	if err != nil || mb < 1 || mb > 1<<10 {
		http.Error(w, "want ?mb=1 to 1024", http.StatusBadRequest)
		return
	}
	f, err := os.Create(more)
	for i := 0; i < mb && err == nil; i++ {
		_, err = f.Write(make([]byte, 1<<20))
	}
	if f != nil {
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInsufficientStorage)
		return
	}
	fmt.Fprintln(w, "written")
}
