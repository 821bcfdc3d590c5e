// Command website serves the files that its package mounts at /www, as its configuration at
// /etc/app says, and counts what a request leaves in its work folder.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"net/http/cgi"
	"os"
	"path/filepath"
)

// site is /etc/app/site.json.
type site struct {
	Name  string            `json:"name"`
	Extra map[string]string `json:"headers"` // that each answer has
}

func main() {
	s, err := read("/etc/app/site.json")
	if err != nil {
		log.Fatal(err)
	}
	files := http.FileServer(http.Dir("/www"))
	err = cgi.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Site", s.Name)
		for name, value := range s.Extra {
			w.Header().Set(name, value)
		}
		if err := os.WriteFile(filepath.Join("/work", "last"), []byte(r.URL.Path), 0o600); err != nil {
			log.Print(err) // it has no work folder, or a full one: the files are served all the same
		}
		files.ServeHTTP(w, r)
	}))
	if err != nil {
		log.Fatal(err)
	}
}

func read(file string) (s site, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}
