package cgi

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/realm-mesh/realm/runnerd/internal/exchange"
)

// maxHeader is the longest header that a program may send, in bytes.
const maxHeader = 64 << 10

// headerEnd finds the empty line that ends a header: the length of the header, and
// where the body begins.
func headerEnd(b []byte) (header, body int, ok bool) {
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return 0, 0, false
		}
		line := b[at : at+i]
		if len(line) == 0 || len(line) == 1 && line[0] == '\r' {
			return at, at + i + 1, true
		}
		at += i + 1
	}
}

// head is what a program says before the body.
type head struct {
	status int
	header http.Header
}

// parseHead reads a header without the empty line at its end.
func parseHead(b []byte) (head, error) {
	h := head{header: http.Header{}}
	for line := range bytes.Lines(b) {
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || !isToken(name) {
			return h, fmt.Errorf("header line %.80q: want NAME: VALUE", line)
		}
		v := string(bytes.TrimSpace(value))
		if strings.ContainsFunc(v, isControl) {
			return h, fmt.Errorf("header %.40s holds a control character", name)
		}
		if err := h.add(textproto.CanonicalMIMEHeaderKey(string(name)), v); err != nil {
			return h, err
		}
	}
	if h.status == 0 && len(h.header) == 0 {
		return h, errors.New("the header is empty: want Content-Type, Status or Location")
	}
	if h.status == 0 {
		h.status = http.StatusOK
		if h.header.Get("Location") != "" {
			h.status = http.StatusFound
		}
	}
	return h, nil
}

func (h *head) add(name, value string) error {
	switch {
	case name == "Status":
		code, _, _ := strings.Cut(value, " ")
		n, err := strconv.Atoi(code)
		if err != nil || len(code) != 3 || n < http.StatusOK || n > 599 {
			return fmt.Errorf("status %.40q: want 200 to 599", value)
		}
		h.status = n
	case name == "Content-Length":
		if n, err := strconv.ParseInt(value, 10, 64); err != nil || n < 0 {
			return fmt.Errorf("content length %.40q is no number", value)
		}
		h.header.Set(name, value)
	case hopByHop(name) || strings.HasPrefix(name, "Realm-"):
		// not a program's to say
	default:
		h.header.Add(name, value)
	}
	return nil
}

// mount puts a Location that is a path of the program under its mount.
func (h *head) mount(script string) {
	if to := h.header.Get("Location"); to != "" {
		h.header.Set("Location", exchange.Below(script, to))
	}
}

// isToken reports whether b can name a header (RFC 9110, section 5.6.2).
func isToken(b []byte) bool {
	for _, c := range b {
		alnum := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !alnum && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return len(b) > 0
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
