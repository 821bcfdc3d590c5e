//go:build !unix

package local

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
)

// ReceiveFiles returns ln: nobody can send files here.
func ReceiveFiles(ln net.Listener) net.Listener { return ln }

// receiver is what no connection is here.
type receiver struct{}

func (*receiver) take() *os.File { return nil }

func carrier(dialer, *os.File) http.RoundTripper { return unable{} }

type unable struct{}

func (unable) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("send file: %w", errors.ErrUnsupported)
}
