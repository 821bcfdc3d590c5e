package httpshape

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// How an answer came to its end, as its client sees it.
const (
	Whole    = "whole"     // as it was announced
	Cut      = "cut"       // the head came, but not all of the body
	NoAnswer = "no answer" // the connection ended before the head
	Waiting  = "waiting"   // neither came nor ended while the client was patient
	HungUp   = "hung up"   // the client had enough
)

// Outcome is what a client observed.
type Outcome struct {
	End           string
	Informational []int    `json:",omitempty"`
	Status        int      `json:",omitempty"`
	Headers       []string `json:",omitempty"` // by name; those of one name in the order they came
	Size          int64    `json:",omitempty"`
	SHA256        string   `json:",omitempty"` // of a body that is long, or no text
	Text          string   `json:",omitempty"`
	Trailers      []string `json:",omitempty"`

	// HostPage: the answer is the host's own, whose headers and body are its business.
	HostPage bool `json:",omitempty"`

	// Survived: the server answered another client afterwards.
	Survived bool
}

const textMost = 2 << 10

// Headers that a host adds on its own, or that say how a body is framed.
var ownOfHosts = []string{"Date", "Connection", "Keep-Alive", "Transfer-Encoding", "Server", "Trailer"}

func lines(h http.Header, length bool) []string {
	var out []string
	for name, values := range h {
		if slices.Contains(ownOfHosts, name) || (name == "Content-Length" && !length) {
			continue
		}
		for _, v := range values {
			out = append(out, strings.ToLower(name)+": "+v)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int {
		nameA, _, _ := strings.Cut(a, ":")
		nameB, _, _ := strings.Cut(b, ":")
		return strings.Compare(nameA, nameB)
	})
	return out
}

// digest sums up a body while it is read, and keeps its beginning.
type digest struct {
	sum   [sha256.Size]byte
	size  int64
	start []byte
}

func (o *Outcome) describe(d *digest, sortLines bool) {
	o.Size = d.size
	if d.size > textMost || !utf8.Valid(d.start) || strings.ContainsRune(string(d.start), 0) {
		o.SHA256 = hex.EncodeToString(d.sum[:])
		return
	}
	o.Text = string(d.start)
	if sortLines {
		all := strings.Split(o.Text, "\n")
		slices.Sort(all)
		o.Text = strings.TrimLeft(strings.Join(all, "\n"), "\n")
	}
}
