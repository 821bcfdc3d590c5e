package local

import (
	"context"
	"net/http"
	"os"
)

type (
	sentKey struct{} // of a context: the file that goes with its request
	connKey struct{} // of a context: the connection that a request came on
)

// WithFile returns a context whose request takes an open file along, to a daemon that
// receives such ([ReceiveFiles]). The daemon gets a descriptor of what is open here, from
// the kernel: it can read it or write to it as far as this process can, and needs neither
// its path nor any right of its own. The request has a connection of its own; where the
// system cannot do that it fails with [errors.ErrUnsupported]. The file stays open here.
func WithFile(ctx context.Context, f *os.File) context.Context {
	return context.WithValue(ctx, sentKey{}, f)
}

// File takes the file that came with a request; nil: none did. The caller closes it. It
// shares its position with that of the sender: read and write it at offsets.
func File(r *http.Request) *os.File {
	if c, ok := r.Context().Value(connKey{}).(*receiver); ok {
		return c.take()
	}
	return nil
}
