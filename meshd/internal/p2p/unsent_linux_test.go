package p2p

import (
	"os"
	"strconv"
	"testing"

	ma "github.com/multiformats/go-multiaddr"
	"golang.org/x/sys/unix"
)

// On both ends of a TCP connection the kernel holds back few bytes.
func TestUnsentIsBounded(t *testing.T) {
	before := bounded(t)
	a, b := open(t, Config{Proof: []byte("member a"), Judge: everybody}), open(t, Config{Proof: []byte("member b"), Judge: everybody})
	if err := a.Connect(t.Context(), at(b.Host, ma.P_TCP)); err != nil {
		t.Fatal(err)
	}
	until(t, "both ends have the bound", func() bool { return bounded(t) == before+2 })
}

// bounded is how many sockets of this process have the bound.
func bounded(t *testing.T) (n int) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fds {
		fd, err := strconv.Atoi(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		// Files and other sockets have no such option.
		if most, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT); err == nil && most == unsentMost {
			n++
		}
	}
	return n
}
