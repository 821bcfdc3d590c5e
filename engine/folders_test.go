package engine

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/engine/mount"
)

// TestComponentMeetsBounds runs a program of Rust, which calls WASI 0.2, with a full folder
// and with one in memory.
func TestComponentMeetsBounds(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	quota, err := mount.NewQuota(root, 8192)
	if err != nil {
		t.Fatal(err)
	}
	data := mount.New(root, false)
	defer data.Close()
	data.Bound(quota)
	secrets, err := mount.Memory(map[string][]byte{"token": []byte("secret")})
	if err != nil {
		t.Fatal(err)
	}
	defer secrets.Close()
	m := ready(t, componentFile(t, "rust-command"), 64)
	for _, c := range []struct{ args, out, complaint string }{
		{"mkdir /data/d", "", ""},
		{"write /data/f some", "", ""},
		{"append /data/f " + strings.Repeat("x", 4092), "", ""},
		{"append /data/f x", "", "code: 51,"},
		{"write /data/g some", "", "code: 51,"},
		{"mkdir /data/e", "", "code: 51,"},
		{"size /data/f", "4096\n", ""},
		{"remove /data/f", "", ""},
		{"write /data/g some", "", ""},
		{"list /secrets", `["token"]` + "\n", ""},
		{"read /secrets/token", "secret", ""},
		{"size /secrets/token", "6\n", ""},
		{"read /secrets/other", "", "code: 44,"},
		{"write /secrets/token some", "", "code: 69,"},
		{"remove /secrets/token", "", "code: 69,"},
	} {
		var out, complaints bytes.Buffer
		err := m.Run(t.Context(), Env{Args: append([]string{"tool"}, strings.Fields(c.args)...), Stdout: &out, Stderr: &complaints,
			Mounts: []Mount{{Guest: "/data", Folder: data}, {Guest: "/secrets", Folder: secrets}}})
		if out.String() != c.out || (err != nil) != (c.complaint != "") || !strings.Contains(complaints.String(), c.complaint) {
			t.Errorf("%.30s: %q, %v, %s", c.args, out.String(), err, complaints.String())
		}
	}
	if quota.Used() != 8192 {
		t.Errorf("%d used", quota.Used())
	}
}
