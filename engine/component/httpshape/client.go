package httpshape

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// Observe makes the request at an address and says what came of it. Whether the
// server survived is for the caller to find out. An error means that the request
// could not be made at all.
func Observe(ctx context.Context, addr, upstream string, s *Shape) (Outcome, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return Outcome{}, fmt.Errorf("connect for %s: %w", s.Name, err)
	}
	if err := conn.SetDeadline(time.Now().Add(s.within())); err != nil {
		_ = conn.Close()
		return Outcome{}, err
	}
	goOn := make(chan struct{}, 1)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		send(conn, addr, upstream, s, goOn)
	}()
	o := receive(conn, s, goOn)
	_ = conn.Close()
	close(goOn)
	<-sent
	if s.Body != nil && s.Body.CutAfter > 0 {
		return Outcome{End: HungUp}, nil // how much came before is chance
	}
	return o, nil
}

// send writes the request. That a server stops reading is no error: the answer says what it thought.
func send(conn net.Conn, addr, upstream string, s *Shape, goOn <-chan struct{}) {
	if _, err := io.WriteString(conn, head(addr, upstream, s)); err != nil || s.Body == nil {
		return
	}
	if s.Body.Await100 {
		if _, told := <-goOn; !told {
			return
		}
	}
	if err := sendBody(conn, s.Body); err == nil && s.Body.CutAfter > 0 {
		_ = conn.Close()
	}
}

func head(addr, upstream string, s *Shape) string {
	var b strings.Builder
	method, version := s.Method, "1.1"
	if method == "" {
		method = http.MethodGet
	}
	if s.HTTP10 {
		version = "1.0"
	}
	fmt.Fprintf(&b, "%s %s HTTP/%s\r\nHost: %s\r\n", method, strings.ReplaceAll(s.Target, "{upstream}", upstream), version, addr)
	for _, h := range s.Headers {
		b.WriteString(h + "\r\n")
	}
	switch {
	case s.Body == nil:
	case s.Body.Chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n")
	default:
		fmt.Fprintf(&b, "Content-Length: %d\r\n", s.Body.Size)
	}
	b.WriteString("Connection: close\r\n\r\n")
	return b.String()
}

func sendBody(w io.Writer, b *Body) error {
	piece := pattern(b.piece())
	for at := int64(0); at < b.Size; {
		n := min(int64(len(piece)), b.Size-at)
		if b.CutAfter > 0 && at >= b.CutAfter {
			return nil
		}
		if err := sendPiece(w, piece[:n], b.Chunked); err != nil {
			return err
		}
		at += n
		time.Sleep(b.Pause)
	}
	if !b.Chunked {
		return nil
	}
	_, err := io.WriteString(w, "0\r\n"+strings.Join(append(b.Trailers, "", ""), "\r\n"))
	return err
}

func sendPiece(w io.Writer, piece []byte, chunked bool) error {
	if !chunked {
		_, err := w.Write(piece)
		return err
	}
	_, err := fmt.Fprintf(w, "%x\r\n%s\r\n", len(piece), piece)
	return err
}

// pattern is bytes that show where one is missing.
func pattern(n int64) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte('a' + i%23)
	}
	return p
}

func receive(conn net.Conn, s *Shape, goOn chan<- struct{}) Outcome {
	var o Outcome
	r := bufio.NewReader(conn)
	for {
		response, err := http.ReadResponse(r, &http.Request{Method: s.Method}) //nolint:bodyclose // the connection is closed, and all with it
		if err != nil {
			o.End = ending(err, NoAnswer)
			return o
		}
		if response.StatusCode >= 200 {
			o.read(response, s)
			return o
		}
		o.Informational = append(o.Informational, response.StatusCode)
		select {
		case goOn <- struct{}{}:
		default:
		}
	}
}

// read takes the final answer.
func (o *Outcome) read(response *http.Response, s *Shape) {
	o.Status = response.StatusCode
	o.Headers = lines(response.Header, s.Length)
	d, err := readBody(response.Body, s.HangUp)
	o.describe(d, s.SortLines)
	switch {
	case errors.Is(err, errEnough):
		o.End = HungUp
	case err != nil:
		o.End = ending(err, Cut)
	default:
		o.End = Whole
		o.Trailers = lines(response.Trailer, false)
	}
}

var errEnough = errors.New("read as much as was wanted")

func readBody(body io.Reader, most int64) (*digest, error) {
	d := &digest{}
	sum := sha256.New()
	var start bytes.Buffer
	defer func() { sum.Sum(d.sum[:0]); d.start = start.Bytes() }()
	buffer := make([]byte, pieceSize)
	for {
		if most > 0 {
			buffer = buffer[:min(int64(len(buffer)), most-d.size)]
		}
		n, err := body.Read(buffer)
		sum.Write(buffer[:n])
		start.Write(buffer[:min(n, max(0, textMost-start.Len()))])
		d.size += int64(n)
		switch {
		case err == io.EOF:
			return d, nil
		case err != nil:
			return d, err
		case most > 0 && d.size >= most:
			return d, errEnough
		}
	}
}

func ending(err error, otherwise string) string {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return Waiting
	}
	return otherwise
}
