package wire

import (
	"bytes"
	"net/http"
)

// Limits of what is read as lines, in bytes. Those of net/http are below them but
// for chunk lines, whose extensions nobody uses.
const (
	maxHead    = 1 << 20
	maxTrailer = 64 << 10
	maxChunk   = 256
)

// part is what of a connection comes next.
type part uint8

const (
	partHead    part = iota // of a request
	partBody                // left bytes of one with a length
	partSize                // the line before a chunk
	partData                // left bytes of a chunk
	partDataEnd             // the CR LF after it
	partTrailer             // fields after the last chunk
	partPreface             // the rest of what HTTP/2 begins with
	partOther               // no HTTP/1: nothing is looked at any more
)

// follower knows, of the bytes that a client sends, where each request begins. Its
// zero value stands at the beginning of a connection.
type follower struct {
	part  part
	later bool   // this is not the connection's first request
	left  int64  // see part
	line  int    // bytes of the line in hand that came before
	saved []byte // of the head, chunk line or trailer in hand what came before
}

// preface is what a connection of HTTP/2 begins with (RFC 9113, section 3.4), and
// looks like a head of HTTP/1 up to its first empty line.
const (
	prefaceHead = "PRI * HTTP/2.0\r\n\r\n"
	prefaceRest = "SM\r\n\r\n"
)

// take goes on by b. With an error, only the first n bytes of b may be passed on;
// nothing may follow them.
func (f *follower) take(b []byte) (n int, err *Error) {
	for n < len(b) {
		m, err := f.step(b[n:])
		if err != nil {
			return n, err
		}
		n += m
	}
	return n, nil
}

// step takes in the first n bytes of b, which are of one part.
func (f *follower) step(b []byte) (n int, err *Error) {
	switch f.part {
	case partHead, partTrailer:
		return f.block(b)
	case partSize:
		return f.size(b)
	case partBody, partData:
		n := int(min(f.left, int64(len(b))))
		if f.left -= int64(n); f.left == 0 {
			f.dataDone()
		}
		return n, nil
	case partDataEnd:
		return f.expect(b, "\r\n", partSize, "a chunk is not as long as it says")
	case partPreface:
		return f.expect(b, prefaceRest, partOther, "neither HTTP/1 nor HTTP/2")
	}
	return len(b), nil // partOther
}

func (f *follower) dataDone() {
	if f.part == partBody {
		f.begin(partHead)
	} else {
		f.begin(partDataEnd)
	}
}

// begin makes p what comes next.
func (f *follower) begin(p part) { *f = follower{part: p, later: true} }

// expect reads what can be nothing but want, before next.
func (f *follower) expect(b []byte, want string, next part, otherwise string) (int, *Error) {
	want = want[f.left:]
	n := min(len(b), len(want))
	if string(b[:n]) != want[:n] {
		return 0, bad("%s", otherwise)
	}
	if f.left += int64(n); n == len(want) {
		f.begin(next)
	}
	return n, nil
}

// block reads lines up to the first empty one: a head or a trailer.
func (f *follower) block(b []byte) (int, *Error) {
	end, err := f.emptyLine(b)
	if err != nil {
		return 0, err
	}
	if end == 0 {
		f.saved = append(f.saved, b...)
		if len(f.saved) > f.limit() {
			return 0, &Error{http.StatusRequestHeaderFieldsTooLarge, "the fields are too large"}
		}
		return len(b), nil
	}
	whole := b[:end]
	if len(f.saved) > 0 {
		whole = append(f.saved, whole...)
	}
	if f.part == partTrailer {
		err = checkTrailer(whole)
		f.begin(partHead)
	} else {
		err = f.head(whole)
	}
	return end, err
}

func (f *follower) limit() int {
	if f.part == partTrailer {
		return maxTrailer
	}
	return maxHead
}

// emptyLine returns where in b the first empty line ends; 0: there is none yet.
func (f *follower) emptyLine(b []byte) (end int, err *Error) {
	begin := 0
	for {
		i := bytes.IndexByte(b[begin:], '\n')
		if i < 0 {
			f.line += len(b) - begin
			return 0, nil
		}
		at := begin + i
		if !endsCR(f.saved, b[:at]) || f.line+i == 0 {
			return 0, errBareLF
		}
		if f.line+i == len("\r") {
			return at + 1, nil
		}
		begin, f.line = at+1, 0
	}
}

// endsCR reports whether a CR is the last byte of a followed by b.
func endsCR(a, b []byte) bool {
	if len(b) > 0 {
		a = b
	}
	return len(a) > 0 && a[len(a)-1] == '\r'
}

// head goes on to what follows a head.
func (f *follower) head(b []byte) *Error {
	if !f.later && string(b) == prefaceHead {
		f.begin(partPreface)
		return nil
	}
	frame, err := check(b)
	switch {
	case err != nil:
		return err
	case frame.chunked:
		f.begin(partSize)
	case frame.length > 0:
		f.begin(partBody)
		f.left = frame.length
	default:
		f.begin(partHead)
	}
	return nil
}

// size reads the line before a chunk.
func (f *follower) size(b []byte) (int, *Error) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		if len(f.saved)+len(b) > maxChunk {
			return 0, errChunk
		}
		f.saved = append(f.saved, b...)
		return len(b), nil
	}
	line := b[:i+1]
	if len(f.saved) > 0 {
		line = append(f.saved, line...)
	}
	n, err := chunkSize(line)
	if err != nil {
		return 0, err
	}
	if n == 0 {
		f.begin(partTrailer)
	} else {
		f.begin(partData)
		f.left = n
	}
	return i + 1, nil
}

var errChunk = bad("a line before a chunk is not its size in hex and CR LF")

// maxHex is how many digits the size of a chunk may have, so that it is an int64.
const maxHex = 15

// chunkSize reads "SIZE[;EXTENSION]\r\n".
func chunkSize(line []byte) (int64, *Error) {
	line, found := bytes.CutSuffix(line, []byte("\r\n"))
	size, extension, _ := bytes.Cut(line, []byte(";"))
	if !found || len(line) > maxChunk || len(size) == 0 || len(size) > maxHex {
		return 0, errChunk
	}
	n := int64(0)
	for _, c := range size {
		digit := bytes.IndexByte([]byte("0123456789abcdef"), c|0x20)
		if digit < 0 || c < '0' {
			return 0, errChunk
		}
		n = n<<4 | int64(digit)
	}
	for _, c := range extension {
		if c < ' ' && c != '\t' || c == 0x7f {
			return 0, errChunk
		}
	}
	return n, nil
}

// checkTrailer is check for the fields after the last chunk.
func checkTrailer(b []byte) *Error {
	for {
		line, rest, err := cutLine(b)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			return nil
		}
		name, _, err := field(line)
		if err != nil {
			return err
		}
		if framed(name) {
			return bad("%.40q is in a trailer: it belongs into the head", name)
		}
		b = rest
	}
}
