package wasi

import (
	"net/http"
	"time"
)

// Sender sends the requests of guests. It is for the Sender to say where guests may go.
type Sender interface {
	// Send sends a request, as it is: it follows no redirects, and changes no content. It
	// closes the request's body, reads it beside the response if need be, and ends with the
	// request's context. Of timeouts it need keep only that of connecting.
	//
	// Errors that are or wrap an [HTTPError] reach the guest as such. The caller closes
	// the response's body.
	Send(req *http.Request, t Timeouts) (*http.Response, error)
}

// Timeouts are what a guest asks for; 0: it does not.
type Timeouts struct{ Connect, FirstByte, BetweenBytes time.Duration }
