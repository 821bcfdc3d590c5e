//go:build linux

package native_test

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/runnerd/internal/native"
)

// TestHostile has a program try to read, write, reach and change what it must not.
func TestHostile(t *testing.T) {
	each(t, func(t *testing.T, m native.Confinement) {
		p := newPlace(t, m)
		other := newPlace(t, m, "/bin/sh", "-c", "echo mine > own; sleep 100")
		theirs := other.start()
		known := p.node(t)
		known.Other = filepath.Join(other.spec.WorkDir, "own")
		known.Folders = append(known.Folders, other.spec.WorkDir)
		b, err := json.Marshal(known)
		if err != nil {
			t.Fatal(err)
		}
		note := filepath.Join(p.home, "an asset")
		write(t, note, "a note", 0o600)
		p.spec.Assets = []native.Asset{{Name: "note", Path: note}}
		p.spec.Files = []string{known.SetUID}
		p.spec.Env = map[string]string{"MINE": "yes"}
		p.spec.Argv = []string{exe(t), hostileCommand, "attack", string(b), p.token}
		r, lines := p.run()
		if r.Ending != native.Exited || r.Code != 0 || lines[len(lines)-1] != "stdout done" {
			t.Errorf("%+v", r)
		}
		for _, l := range lines {
			if strings.Contains(l, "LET") || strings.Contains(l, "LOST") || strings.Contains(l, "env REALM_") && !strings.Contains(l, "env REALM_ASSETS=") || strings.Contains(l, "SECRET") {
				t.Error(l)
			}
		}
		if t.Failed() || testing.Verbose() {
			t.Log(strings.Join(lines, "\n"))
		}
		for _, d := range known.Folders {
			if _, err := os.Stat(filepath.Join(d, "hostile")); err == nil {
				t.Errorf("it wrote to %s", d)
			}
		}
		if _, err := os.Stat(known.Secret); err != nil {
			t.Error(err)
		}
		if err := theirs.Stop(0); err != nil {
			t.Error(err)
		}
		other.wait(theirs)
	})
}

// node makes what a node has, which the program knows of.
func (p *place) node(t *testing.T) targets {
	t.Setenv("REALM_SECRET", "SECRET")
	k := targets{PID: os.Getpid(), Secret: filepath.Join(p.home, "key"), Socket: filepath.Join(p.root, "s"), Packet: filepath.Join(p.root, "d"),
		Abstract: p.token, SetUID: filepath.Join(p.root, "suid"),
		Folders: []string{p.home, p.spec.Dir, p.root, filepath.Dir(exe(t))}}
	write(t, k.Secret, "SECRET", 0o644)
	b, err := os.ReadFile("/usr/bin/id")
	if err != nil {
		t.Fatal(err)
	}
	write(t, k.SetUID, string(b), 0o755)
	if err := os.Chmod(k.SetUID, 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{k.Socket, "@" + k.Abstract} {
		ln, err := net.Listen("unix", a)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
	}
	if err := os.Chmod(k.Socket, 0o777); err != nil {
		t.Fatal(err)
	}
	pc, err := net.ListenPacket("unixgram", k.Packet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	if err := os.Chmod(k.Packet, 0o777); err != nil {
		t.Fatal(err)
	}
	return k
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// exe is this binary, where users of their own can reach it.
func exe(t *testing.T) string {
	t.Helper()
	from, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	dir := t.TempDir()
	pass(t, dir)
	to, err := os.OpenFile(filepath.Join(dir, "program"), os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	return to.Name()
}

// TestPrivateInSystemFolders hides what lies in a folder that programs see.
func TestPrivateInSystemFolders(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may write to /opt")
	}
	dir, err := os.MkdirTemp("/opt", "realm-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"shown", "home"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, d, "file"), "text of "+d, 0o644)
	}
	each(t, func(t *testing.T, m native.Confinement) {
		p := newPlace(t, m, "/bin/sh", "-c", "cat $DIR/shown/file; cat $DIR/home/file; ls $DIR/home; true")
		p.spec.Private = append(p.spec.Private, filepath.Join(dir, "home"))
		p.spec.Env = map[string]string{"DIR": dir}
		_, lines := p.run()
		all := strings.Join(lines, "\n")
		if !strings.Contains(all, "text of shown") || strings.Contains(all, "text of home") || strings.Contains(all, "stdout file") {
			t.Error(all)
		}
	})
}

// TestEmulated runs a program for another processor in the same way.
func TestEmulated(t *testing.T) {
	const qemu = "/usr/bin/qemu-aarch64-static"
	if _, err := os.Stat(qemu); err != nil {
		t.Skip("qemu-user-static is not installed")
	}
	src := filepath.Join(t.TempDir(), "hello.go")
	write(t, src, "package main\n\nimport \"runtime\"\n\nfunc main() { println(runtime.GOARCH) }\n", 0o644)
	each(t, func(t *testing.T, m native.Confinement) {
		p := newPlace(t, m)
		bin := filepath.Join(p.home, "hello")
		cmd := exec.Command("go", "build", "-o", bin, src)
		cmd.Env = append(os.Environ(), "GOARCH=arm64", "CGO_ENABLED=0", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		p.spec.Argv, p.spec.Files = []string{qemu, bin, p.token}, []string{bin}
		if r, lines := p.run(); r.Code != 0 || len(lines) != 1 || lines[0] != "stderr arm64" {
			t.Errorf("%+v %q", r, lines)
		}
	})
}
