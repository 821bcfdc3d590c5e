package wire

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	const get, post = "GET / HTTP/1.1\r\nHost: a\r\n", "POST / HTTP/1.1\r\nHost: a\r\n"
	for _, c := range []struct {
		name, head string
		want       string // of the reason; "": it is right
	}{
		{"plain", get + "\r\n", ""},
		{"http/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", ""},
		{"chunked", post + "Transfer-Encoding:\t cHUNKED \r\n\r\n", ""},
		{"length", post + "Content-Length: 18\r\n\r\n", ""},
		{"largest length", post + "Content-Length: 999999999999999999\r\n\r\n", ""},
		{"upgrade", get + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", ""},
		{"value of another alphabet", get + "X: \xc3\xa9\r\n\r\n", ""},
		{"target of another alphabet", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", ""},
		{"no value", get + "X:\r\n\r\n", ""},

		{"no end", get, "no end"},
		{"bytes after it", get + "\r\nX", "after the end"},
		{"empty first line", "\r\n" + get + "\r\n", "empty line"},
		{"both", post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n", "both"},
		{"both, the other way", post + "Transfer-Encoding: chunked\r\ncontent-length: 4\r\n\r\n", "both"},
		{"chunked in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.0"},
		{"chunked twice", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "2 times"},
		{"equal lengths", post + "Content-Length: 4\r\nContent-Length: 4\r\n\r\n", "2 times"},
		{"length with a sign", post + "Content-Length: +4\r\n\r\n", "number of bytes"},
		{"negative length", post + "Content-Length: -0\r\n\r\n", "number of bytes"},
		{"list of lengths", post + "Content-Length: 4, 4\r\n\r\n", "number of bytes"},
		{"empty length", post + "Content-Length:\r\n\r\n", "number of bytes"},
		{"length with _", post + "Content-Length: 1_0\r\n\r\n", "number of bytes"},
		{"length in hex", post + "Content-Length: 0x4\r\n\r\n", "number of bytes"},
		{"long length", post + "Content-Length: 0000000000000000004\r\n\r\n", "number of bytes"},
		{"other coding", post + "Transfer-Encoding: gzip\r\n\r\n", "chunked, once"},
		{"two codings", post + "Transfer-Encoding: chunked, identity\r\n\r\n", "chunked, once"},
		{"a control before the coding", post + "Transfer-Encoding: \x0bchunked\r\n\r\n", "control"},
		{"blank before the colon", post + "Transfer-Encoding : chunked\r\n\r\n", "NAME: VALUE"},
		{"no colon", get + "X\r\n\r\n", "NAME: VALUE"},
		{"no name", get + ": x\r\n\r\n", "NAME: VALUE"},
		{"LF", "GET / HTTP/1.1\nHost: a\n\n", "LF alone"},
		{"LF in the midst", get + "X: y\nZ: w\r\n\r\n", "LF alone"},
		{"CR in the midst", get + "X: y\rZ: w\r\n\r\n", "control"},
		{"NUL", get + "X: y\x00\r\n\r\n", "control"},
		{"folded", get + "X: y\r\n z\r\n\r\n", "blank"},
		{"folded at once", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "blank"},
		{"no Host", "GET / HTTP/1.1\r\n\r\n", "0 Host"},
		{"two Hosts", get + "host: a\r\n\r\n", "2 Host"},
		{"two Hosts in 1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", "2 Host"},
		{"1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", "use HTTP/1.1"},
		{"2.0", "PRI * HTTP/2.0\r\n\r\n", "use HTTP/1.1"},
		{"lower case version", "GET / http/1.1\r\nHost: a\r\n\r\n", "no version"},
		{"0.9", "GET /\r\n\r\n", "first line"},
		{"two blanks", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "first line"},
		{"blank at the end", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "no version"},
		{"tab", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "first line"},
		{"blank in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "no version"},
		{"method", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", "first line"},
		{"Connection: Content-Length", post + "Connection: close , Content-Length\r\nContent-Length: 1\r\n\r\n", "between two neighbours"},
	} {
		_, err := check([]byte(c.head))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// FuzzCheck wants that where net/http accepts a head too, both see its body end at the
// same byte, and that nothing is left of it for the next reader to take otherwise.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST /x?y HTTP/1.0\r\nContent-Length: 4\r\nConnection: keep-alive\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n",
		"GET / HTTP/1.1\nHost: a\n\n",
		"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		frame, wrong := check(head)
		if wrong != nil {
			return
		}
		in := bufio.NewReader(bytes.NewReader(head))
		req, err := http.ReadRequest(in)
		if err != nil {
			return // net/http is stricter there: it answers 400
		}
		if chunked := len(req.TransferEncoding) > 0; chunked != frame.chunked || !chunked && req.ContentLength != frame.length {
			t.Errorf("%q: %+v, net/http: %v %d", head, frame, req.TransferEncoding, req.ContentLength)
		}
		if in.Buffered() != 0 {
			t.Errorf("%q: net/http sees the head end %d bytes before", head, in.Buffered())
		}
		if req.ProtoMajor != 1 || req.ProtoMinor > 1 {
			t.Errorf("%q is %s", head, req.Proto)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	head := []byte(browserHead)
	b.SetBytes(int64(len(head)))
	for b.Loop() {
		if _, err := check(head); err != nil {
			b.Fatal(err)
		}
	}
}

const browserHead = "GET /hello/index.html?q=1 HTTP/1.1\r\nHost: localhost:8080\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\nConnection: keep-alive\r\nUpgrade-Insecure-Requests: 1\r\n" +
	"Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: none\r\nPriority: u=0, i\r\n\r\n"
