package wire

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
)

// Error is what is wrong with a request.
type Error struct {
	Status int // to answer with
	Reason string
}

func (e *Error) Error() string { return e.Reason }

func bad(format string, args ...any) *Error {
	return &Error{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// framing says where the body after a head ends.
type framing struct {
	chunked bool
	length  int64 // bytes, if not chunked
}

// fields collects what counts for the framing while the lines are gone through.
type fields struct {
	hosts, lengths, codings int
	length                  int64
}

// check says where the body after head ends, a request's first line and its fields up to and
// including the empty line, or what makes it a danger to who stands between.
func check(head []byte) (framing, *Error) {
	line, rest, err := cutLine(head)
	if err != nil {
		return framing{}, err
	}
	minor, err := requestLine(line)
	if err != nil {
		return framing{}, err
	}
	var f fields
	for {
		if line, rest, err = cutLine(rest); err != nil {
			return framing{}, err
		}
		if len(line) == 0 {
			break
		}
		name, value, err := field(line)
		if err != nil {
			return framing{}, err
		}
		if err := f.add(name, value); err != nil {
			return framing{}, err
		}
	}
	if len(rest) != 0 {
		return framing{}, bad("there are bytes after the end of the head")
	}
	return f.framing(minor)
}

// cutLine takes the first line off b, without its end.
func cutLine(b []byte) (line, rest []byte, err *Error) {
	i := bytes.IndexByte(b, '\n')
	switch {
	case i < 0:
		return nil, nil, bad("the head has no end")
	case i == 0 || b[i-1] != '\r':
		return nil, nil, errBareLF
	}
	return b[:i-1], b[i+1:], nil
}

var errBareLF = bad("a line ends with LF alone: end each with CR LF")

// requestLine reads "METHOD TARGET HTTP/1.MINOR".
func requestLine(line []byte) (minor byte, err *Error) {
	if len(line) == 0 {
		return 0, bad("there is an empty line before the request")
	}
	method, rest, ok := bytes.Cut(line, []byte(" "))
	target, version, ok2 := bytes.Cut(rest, []byte(" "))
	if !ok || !ok2 || !isToken(method) || len(target) == 0 || !isVisible(target) {
		return 0, bad("the first line is not METHOD, TARGET and VERSION with a space between")
	}
	switch string(version) {
	case "HTTP/1.1":
		return 1, nil
	case "HTTP/1.0":
		return 0, nil
	}
	if len(version) == len("HTTP/1.1") && bytes.HasPrefix(version, []byte("HTTP/")) && isVisible(version) {
		return 0, &Error{http.StatusHTTPVersionNotSupported, fmt.Sprintf("%q is not spoken here: use HTTP/1.1", version)}
	}
	return 0, bad("the first line ends with no version of HTTP")
}

// field reads "NAME: VALUE". The value is without the blanks around it.
func field(line []byte) (name, value []byte, err *Error) {
	if line[0] == ' ' || line[0] == '\t' {
		return nil, nil, bad("a line begins with a blank: write each field in one line")
	}
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || !isToken(name) {
		return nil, nil, bad("a line is not NAME: VALUE")
	}
	value = bytes.Trim(value, " \t")
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return nil, nil, bad("a control character is in the value of %.40q", name)
		}
	}
	return name, value, nil
}

func (f *fields) add(name, value []byte) *Error {
	// Of most names the length alone says that they are none of these.
	switch {
	case is(name, "host"):
		f.hosts++
	case is(name, "content-length"):
		n, err := contentLength(value)
		if err != nil {
			return err
		}
		f.lengths, f.length = f.lengths+1, n
	case is(name, "transfer-encoding"):
		if !is(value, "chunked") {
			return &Error{http.StatusNotImplemented, "the only transfer coding that is spoken here is chunked, once"}
		}
		f.codings++
	case is(name, "connection"):
		return connection(value)
	}
	return nil
}

func (f *fields) framing(minor byte) (framing, *Error) {
	switch {
	case f.hosts > 1 || f.hosts == 0 && minor == 1:
		return framing{}, bad("there are %d Host fields: send one", f.hosts)
	case f.lengths > 1:
		return framing{}, bad("Content-Length is there %d times: send it once", f.lengths)
	case f.codings > 1:
		return framing{}, bad("Transfer-Encoding is there %d times: send it once", f.codings)
	case f.codings == 1 && f.lengths == 1:
		return framing{}, bad("both Content-Length and Transfer-Encoding are there: send one of them")
	case f.codings == 1 && minor == 0:
		return framing{}, bad("HTTP/1.0 has no Transfer-Encoding: use HTTP/1.1")
	}
	return framing{chunked: f.codings == 1, length: f.length}, nil
}

// maxDigits is how many digits a length may have, so that it is an int64.
const maxDigits = 18

func contentLength(value []byte) (int64, *Error) {
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || len(value) > maxDigits || bytes.ContainsAny(value, "+-") {
		return 0, bad("Content-Length is not one number of bytes")
	}
	return n, nil
}

// connection refuses to have a field taken away on the way that says where a request
// ends or to whom it goes.
func connection(value []byte) *Error {
	for option := range bytes.SplitSeq(value, []byte(",")) {
		option = bytes.Trim(option, " \t")
		if framed(option) {
			return bad("Connection names %.40q, which is not between two neighbours", option)
		}
	}
	return nil
}

// framed reports whether a field of this name belongs to the head of a request alone.
func framed(name []byte) bool {
	return is(name, "host") || is(name, "content-length") || is(name, "transfer-encoding")
}

// is reports whether b is the word, which is in lower case.
func is(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != word[i] {
			return false
		}
	}
	return true
}

// isToken reports whether b is a name or a method (RFC 9110, section 5.6.2).
func isToken(b []byte) bool {
	for _, c := range b {
		if !tokens[c] {
			return false
		}
	}
	return len(b) > 0
}

var tokens = func() (t [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		t[c] = true
	}
	return t
}()

// isVisible reports whether b has neither blanks nor control characters.
func isVisible(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	return true
}
