package wasi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/engine/component/wit"
)

// field is a header, as it was written.
type field struct {
	name  string
	value []byte
}

func (f field) size() int { return len(f.name) + len(f.value) + fieldBytes }

// fieldBytes is what a field costs beside its bytes: as HTTP/2 has it.
const fieldBytes = 32

// fieldSet is a set of headers or trailers, in the order in which they were added.
type fieldSet struct {
	list  []field
	bytes int
}

// fields is a fieldSet as guests hold it.
type fields struct {
	set     *fieldSet
	fixed   bool // it cannot be changed
	counted bool // its bytes are the guest's
}

func (f *fields) drop(g *Guest) {
	if f.counted {
		g.fields -= f.set.bytes
	}
}

// Errors of fields: cases of header-error.
var (
	invalidSyntax = wit.Error(wit.Choice{Case: 0})
	forbidden     = wit.Error(wit.Choice{Case: 1})
	immutable     = wit.Error(wit.Choice{Case: 2})
)

// forbiddenNames are of fields which are about a connection, that the host makes.
var forbiddenNames = []string{
	"connection", "host", "http2-settings", "keep-alive", "proxy-authenticate",
	"proxy-authorization", "proxy-connection", "trailer", "transfer-encoding", "upgrade",
}

func forbiddenName(name string) bool {
	return slices.Contains(forbiddenNames, strings.ToLower(name))
}

// token reports whether s is a token of HTTP: the name of a field, or a method.
func token(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') &&
			!strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

// fieldValue reports whether b may be the value of a field.
func fieldValue(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c < ' ' && c != '\t' || c == 0x7f })
}

// checkField is the header-error of a field; ok: there is none.
func checkField(name string, values ...[]byte) (fault wit.Choice, ok bool) {
	bad := func(v []byte) bool { return !fieldValue(v) }
	if !token(name) || slices.ContainsFunc(values, bad) {
		return invalidSyntax, false
	}
	if forbiddenName(name) {
		return forbidden, false
	}
	return wit.Choice{}, true
}

// add adds a field, of a value that may be the guest's memory.
func (s *fieldSet) add(name string, value []byte) {
	f := field{name, slices.Clone(value)}
	s.list = append(s.list, f)
	s.bytes += f.size()
}

func (s *fieldSet) remove(name string) {
	s.list = slices.DeleteFunc(s.list, func(f field) bool {
		if !strings.EqualFold(f.name, name) {
			return false
		}
		s.bytes -= f.size()
		return true
	})
}

func (s *fieldSet) get(name string) []any {
	out := []any{}
	for _, f := range s.list {
		if strings.EqualFold(f.name, name) {
			out = append(out, slices.Clone(f.value))
		}
	}
	return out
}

func (s *fieldSet) clone() *fieldSet {
	return &fieldSet{slices.Clone(s.list), s.bytes} // values are never changed
}

// header is s for package http.
func (s *fieldSet) header() http.Header {
	h := http.Header{}
	for _, f := range s.list {
		h.Add(f.name, string(f.value))
	}
	return h
}

// fieldsOf are the headers that came in, but for those about the connection.
func fieldsOf(h http.Header) *fieldSet {
	s := &fieldSet{}
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if forbiddenName(name) {
			continue
		}
		for _, v := range h[name] {
			s.add(strings.ToLower(valid(name)), []byte(v))
		}
	}
	return s
}
