package cli

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/realm-mesh/realm/api"
)

// On a terminal a bar shows how far it is, and is gone in the end.
func TestProgressBar(t *testing.T) {
	for name, total := range map[string]int64{"with a total": 64 << 20, "without": -1} {
		t.Run(name, func(t *testing.T) {
			p := newTypist(t)
			control(t, p.tty, func(fd int) error { return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 120}) })
			shown := (&app{err: p.tty}).newProgress("disk.img", total)
			r := shown.reader(io.LimitReader(zeros{}, 64<<20))
			buf := make([]byte, 1<<20)
			for i := range 16 {
				if _, err := io.ReadFull(r, buf); err != nil {
					t.Fatal(i, err)
				}
				time.Sleep(60 * time.Millisecond)
			}
			shown.tell("from 3 members")
			want := "16.0 MiB, "
			if total > 0 {
				want = "16.0 MiB of 64.0 MiB, "
			}
			p.waitFor(want, 1)
			p.waitFor("MiB/s", 1)
			p.waitFor("from 3 members", 1)
			shown.end()
			if s := p.screen(); !strings.Contains(s, "disk.img ") || strings.Contains(s, "[=") != (total > 0) || strings.Contains(s, " left") != (total > 0) {
				t.Errorf("on the screen: %q", s)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// Nobody's bytes go to a terminal.
func TestStorageGetNotToATerminal(t *testing.T) {
	m := newMesh(t)
	d := m.store.Add([]byte("\x1b[2J"), api.BlobRecord{})
	p := newTypist(t)
	a := &app{out: p.tty, err: io.Discard}
	err := a.run(m.context(), []string{"--home", m.home.Root(), "storage", "get", d.Short()})
	var usage *usageError
	if !errors.As(err, &usage) || !strings.Contains(err.Error(), "-o FILE") {
		t.Error(err)
	}
	if m.store.Asked("GET "+api.PathBlob(d)) > 0 || strings.Contains(p.screen(), "[2J") {
		t.Errorf("on the screen: %q", p.screen())
	}
	var errs bytes.Buffer
	a = &app{in: p.tty, out: io.Discard, err: &errs}
	if err := a.run(m.context(), []string{"--home", m.home.Root(), "storage", "put", "-"}); err == nil || !strings.Contains(err.Error(), "standard input is a terminal") {
		t.Error(err)
	}
}
