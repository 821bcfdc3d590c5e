package exchange

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// RawPath is what follows /anything/NAME in an escaped path.
func RawPath(escaped string) string {
	parts := strings.SplitN(escaped, "/", 4)
	if len(parts) < 4 {
		return "/"
	}
	return "/" + parts[3]
}

// Interruptible has reads and writes of the connection fail once ctx has ended, so
// that no program hangs in them. release ends that.
func Interruptible(ctx context.Context, rc *http.ResponseController, body *Body) (release func()) {
	past := time.Unix(1, 0)
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		// A connection that knows no deadlines is one that a test made up.
		_ = rc.SetWriteDeadline(past)
		if !body.ended.Load() {
			// Only now: behind the body net/http reads by itself, to notice a client
			// that leaves, and would take this for one.
			_ = rc.SetReadDeadline(past)
		}
	})
	return func() {
		if !stop() {
			<-done
		}
		_ = rc.SetReadDeadline(time.Time{})
		_ = rc.SetWriteDeadline(time.Time{})
	}
}

// Below is where a Location leads that a program gives which is mounted at mount, such as
// /NAME: a path of the program's is put below that.
func Below(mount, to string) string {
	outside := strings.HasPrefix(to, "//") || to == mount || strings.HasPrefix(to, mount+"/") || strings.HasPrefix(to, mount+"?")
	if strings.HasPrefix(to, "/") && !outside {
		return mount + to
	}
	return to
}
