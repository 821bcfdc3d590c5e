package confine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Ranges of user ids that are nobody's: the first is used of which this process's user
// namespace has all. The second is that of systemd's passing users.
var ranges = []idRange{{1_900_000_000, 65_536}, {61_184, 4_335}, {50_000, 10_000}}

type idRange struct{ first, count int }

// Lease is a user id that no other execution on this machine has while it is held.
type Lease struct {
	ID   int
	lock *os.File
}

// Release gives the id back. Nothing of its user may be left.
func (l *Lease) Release() {
	os.Remove(l.lock.Name()) // before it is let go: who takes the path now makes a new file
	l.lock.Close()
}

// leases is the folder of the locks.
func leases() string {
	if info, err := os.Stat("/run"); err == nil && info.IsDir() {
		return "/run/realm-job-users"
	}
	return filepath.Join(os.TempDir(), "realm-job-users")
}

// LeaseUser finds a user id for an execution. The lock on it ends with this process.
func LeaseUser() (*Lease, error) {
	r, err := usableRange()
	if err != nil {
		return nil, err
	}
	dir := leases()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("find a user id: %w", err)
	}
	if err := unix.Access(dir, unix.W_OK); err != nil {
		return nil, fmt.Errorf("find a user id: write to %s: %w", dir, err)
	}
	for range 1000 {
		id := r.first + rand.IntN(r.count)
		lease, err := takeUser(dir, id)
		if err != nil {
			return nil, fmt.Errorf("find a user id: %w", err)
		}
		if lease == nil {
			continue
		}
		if !userRuns(id) {
			return lease, nil
		}
		lease.Release()
	}
	return nil, errors.New("find a user id: all that were looked at are in use")
}

// takeUser locks an id; nil: another process has it.
func takeUser(dir string, id int) (*Lease, error) {
	f, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(id)), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	taken := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
	if taken {
		// Its holder may have removed the file after it was opened here.
		held, err1 := f.Stat()
		there, err2 := os.Stat(f.Name())
		taken = err1 == nil && err2 == nil && os.SameFile(held, there)
	}
	if !taken {
		f.Close()
		return nil, nil
	}
	return &Lease{id, f}, nil
}

// Forget removes the lock that a process which was killed has left on an id.
func Forget(id int) {
	if l, err := takeUser(leases(), id); err == nil && l != nil {
		l.Release()
	}
}

// usableRange returns user ids that this process's user namespace has.
func usableRange() (idRange, error) {
	for _, r := range ranges {
		if mapped("/proc/self/uid_map", r) && mapped("/proc/self/gid_map", r) {
			return r, nil
		}
	}
	return idRange{}, errors.New("the user namespace of this node has no user ids for programs: give its container 65,536 of them")
}

func mapped(path string, r idRange) bool {
	for _, line := range readLines(path) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		first, err1 := strconv.Atoi(f[0])
		count, err2 := strconv.Atoi(f[2])
		if err1 == nil && err2 == nil && first <= r.first && r.first+r.count <= first+count {
			return true
		}
	}
	return false
}

// userRuns reports whether a process of a user runs; one that is dead, and waits for its
// parent to take note, does not.
func userRuns(id int) bool {
	for _, p := range processes() {
		if p.state == 'Z' || p.state == 'X' {
			continue
		}
		var st unix.Stat_t
		if err := unix.Stat("/proc/"+strconv.Itoa(p.pid), &st); err == nil && int(st.Uid) == id {
			return true
		}
	}
	return false
}

// killPause is how long what was killed gets to end.
const killPause = 100 * time.Millisecond

// KillUser kills all processes of a user, however fast they multiply, and returns when none
// runs; of root it does nothing. What has not ended within so long is an error.
func KillUser(id int, within time.Duration) error {
	if id <= 0 || id == os.Getuid() {
		return nil
	}
	deadline := time.Now().Add(within)
	var again time.Time
	for ; ; time.Sleep(time.Millisecond) { // the ends of others' children are told to nobody
		if now := time.Now(); !now.Before(again) {
			failed := make(chan error)
			go func() { failed <- killAs(uintptr(id)) }()
			if err := <-failed; err != nil {
				return err
			}
			again = now.Add(killPause)
		}
		if !userRuns(id) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes of user %d have not ended %s after they were killed", id, within)
		}
	}
}
