// Web-service is kept up by Realm and answers HTTP on the port that it is told:
//
//	GET /            the name of the run, and how it was asked
//	GET /redirect    a redirect to /
//	GET /echo        with Upgrade: websocket, what is sent, back
//
// It needs nothing but the standard library: the WebSocket part (RFC 6455) takes short
// messages alone.
package main

import (
	"bufio"
	"crypto/sha1" //nolint:gosec // what RFC 6455 asks for
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	http.HandleFunc("GET /{$}", about)
	http.Handle("GET /redirect", http.RedirectHandler("/", http.StatusFound))
	http.HandleFunc("GET /echo", echo)
	srv := &http.Server{Addr: net.JoinHostPort("127.0.0.1", os.Getenv("REALM_PORT_HTTP")), ReadHeaderTimeout: 10 * time.Second}
	log.Printf("listening on %s", srv.Addr)
	log.Fatal(srv.ListenAndServe())
}

func about(w http.ResponseWriter, r *http.Request) {
	_ = json.NewEncoder(w).Encode(map[string]string{
		"job": os.Getenv("REALM_JOB"), "index": os.Getenv("REALM_INDEX"), "host": r.Host, "query": r.URL.RawQuery,
		"prefix": r.Header.Get("X-Forwarded-Prefix"), "for": r.Header.Get("X-Forwarded-For"),
	})
}

// Opcodes of frames, and the longest message.
const (
	opClose = 8
	opPing  = 9
	opPong  = 10
	longest = 125
)

func echo(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Sec-WebSocket-Key")
	if r.Header.Get("Upgrade") != "websocket" || key == "" {
		http.Error(w, "want a WebSocket", http.StatusUpgradeRequired)
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // likewise
	fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	for rw.Flush() == nil {
		op, message, err := read(rw.Reader)
		if err != nil {
			return
		}
		if op == opPing {
			op = opPong
		}
		_, _ = rw.Write(append([]byte{0x80 | op, byte(len(message))}, message...)) // Flush tells
		if op == opClose {
			_ = rw.Flush()
			return
		}
	}
}

// read reads one frame of a client, which are masked.
func read(r *bufio.Reader) (op byte, message []byte, err error) {
	var head [6]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := int(head[1] & 0x7f)
	if head[0]&0x80 == 0 || head[1]&0x80 == 0 || n > longest {
		return 0, nil, errors.New("want a short message in one masked frame")
	}
	message = make([]byte, n)
	if _, err := io.ReadFull(r, message); err != nil {
		return 0, nil, err
	}
	for i := range message {
		message[i] ^= head[2+i%4]
	}
	return head[0] & 0x0f, message, nil
}
