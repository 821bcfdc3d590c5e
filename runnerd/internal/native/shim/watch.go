package shim

import (
	"fmt"
	"time"

	"github.com/realm-mesh/realm/runnerd/internal/native"
)

// job is a program that has been started, with all that it starts.
type job interface {
	// term asks the program to end.
	term()
	// kill kills all of it; force is the second time, when the first did not do.
	kill(force bool)
	// ended is sent how it ended, once, when nothing of it runs any more.
	ended() <-chan ended
	// excess says which limit was passed that the kernel does not watch; "": none. It
	// is asked every [lookEvery], at least.
	excess() (native.Ending, string)
	// verdict says which limit the kernel has ended it by; "": none.
	verdict() (native.Ending, string)
}

// ended is how a program ended.
type ended struct {
	code   int    // -1: by a signal
	signal string // in words
	cpu    time.Duration
	maxRSS int64
	failed string // what the shim could not find out
}

const (
	lookEvery = 100 * time.Millisecond // between two looks at what is used
	lookShare = 10                     // looking takes one part in so many of the time
	forceIn   = 3 * time.Second        // after a kill that did nothing
)

// watch waits for the end of a program, and sees to it that there is one.
func (s *shim) watch(j job) native.Result {
	var r native.Result
	end := func(how native.Ending, why string) bool {
		if r.Ending != "" {
			return false
		}
		r.Ending, r.Reason = how, why
		return true
	}
	var late, graceOver, forced <-chan time.Time
	if s.spec.Timeout > 0 {
		late = time.After(s.spec.Timeout)
	}
	kill := func(force bool) {
		j.kill(force)
		forced = time.After(forceIn)
	}
	look := time.NewTimer(lookEvery)
	defer look.Stop()
	for {
		select {
		case e := <-j.ended():
			s.conclude(&r, j, e)
			return r
		case <-late:
			if end(native.TimedOut, fmt.Sprintf("it had not ended after %s", s.spec.Timeout)) {
				j.term()
				graceOver = time.After(s.spec.Grace)
			}
		case grace := <-s.stops:
			end(native.Stopped, "it was stopped")
			j.term()
			graceOver = time.After(grace) // who asks again may be in more of a hurry
		case <-graceOver:
			kill(false)
		case <-forced:
			kill(true)
		case <-look.C:
			begun := time.Now()
			if how, why := j.excess(); how != "" && end(how, why) {
				kill(false)
			}
			look.Reset(max(lookEvery, lookShare*time.Since(begun)))
		}
	}
}

// conclude says how a program ended that has.
func (s *shim) conclude(r *native.Result, j job, e ended) {
	r.Code, r.Signal, r.CPU, r.MaxRSS = e.code, e.signal, e.cpu, e.maxRSS
	if r.Ending == "" {
		r.Ending, r.Reason = j.verdict()
	}
	switch {
	case r.Ending != "":
	case e.failed != "":
		r.Ending, r.Reason = native.Signalled, e.failed
	case e.signal != "":
		r.Ending, r.Reason = native.Signalled, "it was ended by a signal: "+e.signal
	default:
		r.Ending = native.Exited
	}
}
