package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// typist is a person at a terminal, who sees what is on it.
type typist struct {
	t    *testing.T
	keys *os.File // what is typed
	tty  *os.File // the program's side

	mu   sync.Mutex
	seen bytes.Buffer
	news chan struct{} // something was shown
}

func newTypist(t *testing.T) *typist {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	var n int
	control(t, keys, func(fd int) error { return unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0) })
	control(t, keys, func(fd int) (err error) { n, err = unix.IoctlGetInt(fd, unix.TIOCGPTN); return err })
	tty, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &typist{t: t, keys: keys, tty: tty, news: make(chan struct{}, 1)}
	looks := make(chan struct{})
	go func() {
		defer close(looks)
		_, _ = io.Copy(p, keys) // until the terminal is closed
	}()
	t.Cleanup(func() {
		keys.Close() // hangs up on whoever still reads
		<-looks
		tty.Close()
	})
	return p
}

// control does not put the file into blocking mode, as Fd would.
func control(t *testing.T, f *os.File, fn func(fd int) error) {
	t.Helper()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if ctl := raw.Control(func(fd uintptr) { err = fn(int(fd)) }); ctl != nil || err != nil {
		t.Fatal(ctl, err)
	}
}

// Write implements [io.Writer]: it is what the person sees, from the program's
// standard error, too.
func (p *typist) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen.Write(b)
	select {
	case p.news <- struct{}{}:
	default:
	}
	return len(b), nil
}

func (p *typist) screen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen.String()
}

// waitFor returns when text is on the screen n times.
func (p *typist) waitFor(text string, n int) {
	p.t.Helper()
	late := time.After(20 * time.Second)
	for strings.Count(p.screen(), text) < n {
		select {
		case <-p.news:
		case <-late:
			p.t.Fatalf("no %q on the screen:\n%s", text, p.screen())
		}
	}
}

// hidden returns when what is typed is not shown (or, again, is).
func (p *typist) hidden(want bool) {
	p.t.Helper()
	late := time.Now().Add(20 * time.Second)
	for {
		var is bool
		control(p.t, p.tty, func(fd int) error {
			s, err := unix.IoctlGetTermios(fd, unix.TCGETS)
			if err == nil {
				is = s.Lflag&unix.ECHO == 0
			}
			return err
		})
		if is == want {
			return
		}
		if time.Now().After(late) {
			p.t.Fatalf("what is typed is hidden: %v", is)
		}
	}
}

func (p *typist) types(s string) {
	p.t.Helper()
	if _, err := p.keys.WriteString(s); err != nil {
		p.t.Fatal(err)
	}
}

func (p *typist) app() *app { return &app{in: p.tty, out: io.Discard, err: p} }

type asked struct {
	text string
	err  error
}

func ask(fn func() (string, error)) <-chan asked {
	got := make(chan asked, 1)
	go func() {
		text, err := fn()
		got <- asked{text, err}
	}()
	return got
}

func (p *typist) hears(got <-chan asked) asked {
	p.t.Helper()
	select {
	case a := <-got:
		return a
	case <-time.After(20 * time.Second):
		p.t.Fatalf("no answer was taken; on the screen:\n%s", p.screen())
		return asked{}
	}
}

// What a person types as a passphrase is not to be seen, before, while and after.
func TestAskHidden(t *testing.T) {
	p := newTypist(t)
	got := ask(func() (string, error) { return p.app().askHidden(t.Context(), "Passphrase: ") })
	p.waitFor("Passphrase: ", 1)
	p.hidden(true)
	p.types("secret\n")
	if a := p.hears(got); a.err != nil || a.text != "secret" {
		t.Errorf("%q, %v", a.text, a.err)
	}
	p.hidden(false)
	if strings.Contains(p.screen(), "secret") {
		t.Errorf("on the screen: %q", p.screen())
	}
	p.types("public\n")
	p.waitFor("public", 1)
}

func TestNewPassphraseIsTypedTwice(t *testing.T) {
	for name, tt := range map[string]struct{ one, two, want, err string }{
		"the same": {"secret", "secret", "secret", ""},
		"another":  {"secret", "secrte", "", "not the same: nothing was changed"},
		"empty":    {"", "", "", "the passphrase is empty: nothing was changed"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newTypist(t)
			src := passphraseSource{flag: "f", env: "REALM_TEST_NO_SUCH"}
			got := ask(func() (string, error) { return p.app().newPassphrase(t.Context(), src) })
			p.waitFor("New passphrase: ", 1)
			p.hidden(true)
			p.types(tt.one + "\n")
			if tt.one != "" {
				p.waitFor("Once more: ", 1)
				p.hidden(true)
				p.types(tt.two + "\n")
			}
			a := p.hears(got)
			if a.text != tt.want || (a.err == nil) != (tt.err == "") || a.err != nil && !strings.Contains(a.err.Error(), tt.err) {
				t.Errorf("%q, %v", a.text, a.err)
			}
		})
	}
}

// Whoever is asked can leave: the terminal is then as it was.
func TestAskIsInterrupted(t *testing.T) {
	p := newTypist(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	got := ask(func() (string, error) { return p.app().askHidden(ctx, "Passphrase: ") })
	p.waitFor("Passphrase: ", 1)
	p.hidden(true)
	cancel(errInterrupted)
	if a := p.hears(got); !errors.Is(a.err, errInterrupted) {
		t.Errorf("%q, %v", a.text, a.err)
	}
	p.hidden(false)
}

// The words of a key are for a terminal.
func TestBackupOnTheTerminal(t *testing.T) {
	newAccount(t)
	p := newTypist(t)
	a := p.app()
	a.out = p.tty
	for _, args := range [][]string{{"key", "backup"}, {"key", "backup", "--qr"}} {
		if err := a.run(t.Context(), args); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
	p.waitFor("24. ", 1)
	p.waitFor("█", 1)
	p.waitFor("realm key restore", 2)
}
