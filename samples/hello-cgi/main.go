// Command hello-cgi is a web program: an ordinary http.Handler, served by
// net/http/cgi. Each request gets an instance of its own.
//
// GREETING in its environment is how it greets. With FAIL_HEALTH=1 it says that it is
// not well, to show what becomes of such a program.
package main

import (
	"cmp"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cgi"
	"os"
	"slices"
)

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", greet)
	mux.HandleFunc("GET /healthz", healthz)
	mux.HandleFunc("/echo", echo)
	mux.HandleFunc("/echo/{rest...}", echo)
	if err := cgi.Serve(mux); err != nil {
		log.Fatal(err)
	}
}

// greet says hello, from the place where it is mounted.
func greet(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "%s from %s, a Go http.Handler in a WebAssembly sandbox.\n", cmp.Or(os.Getenv("GREETING"), "Hello"), os.Getenv("SCRIPT_NAME"))
	fmt.Fprintf(w, "Try %s/echo?q=1 with any method, headers and body.\n", os.Getenv("SCRIPT_NAME"))
}

// healthz answers whoever asks whether the program is well.
func healthz(w http.ResponseWriter, _ *http.Request) {
	if os.Getenv("FAIL_HEALTH") == "1" {
		http.Error(w, "FAIL_HEALTH is set", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// echo tells the caller what arrived: one line each for method, path and query,
// one for each header, an empty line, and the body as it comes.
func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "method: %s\npath: %s\nquery: %s\n", r.Method, r.URL.Path, r.URL.RawQuery)
	names := make([]string, 0, len(r.Header))
	for name := range r.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range r.Header[name] {
			fmt.Fprintf(w, "header: %s: %s\n", name, value)
		}
	}
	fmt.Fprintln(w)
	if _, err := io.Copy(w, r.Body); err != nil {
		log.Printf("echo: %v", err) // the answer has begun: the log is the place left
	}
}
