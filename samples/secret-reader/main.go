// Command secret-reader is a web program that is given secrets: it tells how long they are
// and their SHA-256, so that somebody who knows them can see that they arrived, and never
// tells them.
//
//	realm push --name reader --file secret-reader.wasm --http cgi --secret db=env:DB_PASSWORD --secret tls
package main

import (
	"crypto/sha256"
	"fmt"
	"log"
	"net/http"
	"net/http/cgi"
	"os"
	"path/filepath"
)

func main() {
	if err := cgi.Serve(http.HandlerFunc(tell)); err != nil {
		log.Fatal(err)
	}
}

func tell(w http.ResponseWriter, r *http.Request) {
	log.Printf("%s %s", r.Method, r.URL.Path) // what was asked, and nothing of what is told
	if v, ok := os.LookupEnv("DB_PASSWORD"); ok {
		line(w, "env DB_PASSWORD", []byte(v))
	}
	const folder = "/run/secrets"
	files, err := os.ReadDir(folder)
	if err != nil {
		return // it is given none as files
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(folder, f.Name()))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		line(w, "file "+f.Name(), b)
	}
}

func line(w http.ResponseWriter, what string, value []byte) {
	fmt.Fprintf(w, "%s: %d bytes, sha256 %x\n", what, len(value), sha256.Sum256(value))
}
