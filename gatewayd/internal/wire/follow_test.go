package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

const (
	plain   = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	four    = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"
)

// TestFollow gives streams in one piece, and byte by byte.
func TestFollow(t *testing.T) {
	for _, c := range []struct {
		name, right, wrong string
	}{
		{"heads", plain + plain, ""},
		{"a body that looks like a head", four + "GET " + plain, ""},
		{"empty body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" + plain, ""},
		{"chunks", chunked + "3\r\nabc\r\nA;x=\"y\"\r\n0123456789\r\n0\r\n\r\n" + plain, ""},
		{"chunk of line ends", chunked + "4\r\n\r\n\r\n\r\n0\r\n\r\n" + plain, ""},
		{"many zeros", chunked + "000\r\n\r\n" + plain, ""},
		{"trailers", chunked + "0\r\nX: y\r\nAuthorization: z\r\n\r\n" + plain, ""},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\n\n\n", ""},

		{"second head", plain, "GET / HTTP/1.1\nHost: a\n\n"},
		{"a head after a body", four + "abcd", "GET / HTTP/1.1\r\nX: y\r\n z\r\n\r\n"},
		{"an empty line after a body", four + "abcd", "\r\n" + plain},
		{"HTTP/2 later", plain, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
		{"half of HTTP/2", "PRI * HTTP/2.0\r\n\r\n", "GET /"},
		{"LF after a size", chunked, "2\nab\r\n0\r\n\r\n"},
		{"LF in an extension", chunked, "2;\nxx\r\nab\r\n0\r\n\r\n"},
		{"CR in an extension", chunked, "2;\rxx\r\nab\r\n0\r\n\r\n"},
		{"0x", chunked, "0x2\r\nab\r\n0\r\n\r\n"},
		{"sign", chunked, "+2\r\nab\r\n"},
		{"no size", chunked, "\r\n"},
		{"size and a blank", chunked, "2 \r\nab\r\n"},
		{"huge size", chunked, "8000000000000000\r\n"},
		{"long line", chunked, "2;" + strings.Repeat("x", maxChunk) + "\r\n"},
		{"a control that looks like a digit", chunked, "\x12\r\nab\r\n"},
		{"chunk too long", chunked + "2\r\nab", "XX0\r\n\r\n"},
		{"chunk ends with LF", chunked + "2\r\nab", "\n0\r\n\r\n"},
		{"LF after the last chunk", chunked, "0\n\r\n"},
		{"length in a trailer", chunked + "0\r\n", "Content-Length: 9\r\n\r\n"},
		{"host in a trailer", chunked + "0\r\n", "Host: b\r\n\r\n"},
		{"folded trailer", chunked + "0\r\n", "X: y\r\n z\r\n\r\n"},
		{"LF in a trailer", chunked + "0\r\n", "X: y\n\r\n"},
		{"large trailer", chunked + "0\r\n", "X: " + strings.Repeat("y", maxTrailer)},
		{"large head", "", "GET / HTTP/1.1\r\nX: " + strings.Repeat("y", maxHead)},
	} {
		stream := []byte(c.right + c.wrong)
		for _, size := range []int{len(stream), 1, 7} {
			n, wrong := run(stream, size)
			if (wrong != nil) != (c.wrong != "") || n < len(c.right) || n == len(stream) && wrong != nil {
				t.Errorf("%s, in pieces of %d: %d of %d bytes, %v", c.name, size, n, len(stream), wrong)
			}
		}
	}
}

// run follows stream in pieces and returns how many bytes of it may be passed on.
func run(stream []byte, size int) (int, *Error) {
	var f follower
	n := 0
	for n < len(stream) {
		m, wrong := f.take(stream[n:min(n+size, len(stream))])
		n += m
		if wrong != nil {
			return n, wrong
		}
	}
	return n, nil
}

// FuzzFollow wants the same verdict however a stream is cut into pieces, and each
// request's end where net/http has it.
func FuzzFollow(f *testing.F) {
	f.Add([]byte(plain+four+"abcd"+plain), uint8(3))
	f.Add([]byte(chunked+"3;x\r\nabc\r\n0\r\nX: y\r\n\r\n"+plain), uint8(5))
	f.Add([]byte(chunked+"3\r\nabc\r\n0\r\n\r\n\r\n"+plain), uint8(1))
	f.Add([]byte(four+"abcd\r\n"+plain), uint8(1))
	f.Add([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), uint8(6))
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		n, wrong := run(stream, max(len(stream), 1))
		m, again := run(stream, int(size)+1)
		if (wrong == nil) != (again == nil) || wrong != nil && *wrong != *again {
			t.Fatalf("%q: %v, in pieces of %d: %v", stream, wrong, int(size)+1, again)
		}
		if m < n {
			t.Fatalf("%q: in pieces less is right, %d bytes, than in one, %d", stream, m, n)
		}
		ends := ends(stream[:n])
		in := bytes.NewReader(stream[:n])
		br := bufio.NewReaderSize(in, 1<<16)
		for _, end := range ends {
			req, err := http.ReadRequest(br)
			if err != nil {
				return // 400, and the end
			}
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				if errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("%q: net/http wants more for a request that ends at %d", stream, end)
				}
				return
			}
			if at := n - in.Len() - br.Buffered(); at != end {
				t.Fatalf("%q: a request ends at %d, for net/http at %d", stream, end, at)
			}
		}
	})
}

// ends returns after which bytes a request of stream is whole. None counts from the
// preface of HTTP/2 on.
func ends(stream []byte) (at []int) {
	var f follower
	for i := range stream {
		before := f.part
		if _, wrong := f.take(stream[i : i+1]); wrong != nil || f.part == partPreface {
			return at
		}
		whole := f.part == partHead && f.line == 0 && len(f.saved) == 0
		if whole && (before != partHead || f.later) {
			at = append(at, i+1)
		}
	}
	return at
}
