package native_test

import (
	"testing"
)

func TestRun(t *testing.T) {
	p := newPlace(t, "/bin/sh", "-c", "echo hello; id; pwd; ls -la / /tmp /dev; env; ps ax; cat /proc/self/status | grep -i -E 'cap|seccomp|nonew'; echo err >/dev/stderr; exit 3")
	e := p.start()
	t.Log(e.Confinement())
	r := p.wait(e)
	t.Logf("%+v", r)
	for _, l := range p.lines(e) {
		t.Log(l)
	}
}
