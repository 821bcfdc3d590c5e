package local

import (
	"bufio"
	"net"
	"net/http"
)

// Noted is an answer of which is noted how it went. It passes on what an
// [http.ResponseController] asks for.
type Noted struct {
	http.ResponseWriter
	Status int   // 0: none yet
	Bytes  int64 // of the body
}

// WriteHeader implements [http.ResponseWriter].
func (n *Noted) WriteHeader(status int) {
	if n.Status == 0 && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) {
		n.Status = status
	}
	n.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (n *Noted) Write(b []byte) (int, error) {
	if n.Status == 0 {
		n.Status = http.StatusOK
	}
	w, err := n.ResponseWriter.Write(b)
	n.Bytes += int64(w)
	return w, err
}

// Hijack implements [http.Hijacker]: what follows is no HTTP, and its status is not written
// here.
func (n *Noted) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	n.Status = http.StatusSwitchingProtocols
	return http.NewResponseController(n.ResponseWriter).Hijack()
}

// Unwrap implements what [http.ResponseController] looks for.
func (n *Noted) Unwrap() http.ResponseWriter { return n.ResponseWriter }
