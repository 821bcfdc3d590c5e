package policy

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
)

// file is a path in a folder of the test's own, with text in it.
func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadFile(t *testing.T) {
	if p, err := ReadFile(filepath.Join(t.TempDir(), "none")); err != nil || p != (Policy{}) {
		t.Errorf("without a file: %+v, %v", p, err)
	}
	for text, want := range map[string]Policy{
		`{}`:                                {},
		`{"allow_native_execution":true}`:   {AllowNative: true},
		`{"allow_emulation":true}` + "\n":   {AllowEmulation: true},
		`{"allow_native_execution": false}`: {},
	} {
		if p, err := ReadFile(file(t, text)); err != nil || p != want {
			t.Errorf("%s: %+v, %v", text, p, err)
		}
	}
	for _, text := range []string{``, `{`, `{"allow_natve_execution":true}`, `{"allow_native_execution":"yes"}`, `{}{}`,
		`{"allow_native_execution":true}` + strings.Repeat(" ", maxFile)} {
		p, err := ReadFile(file(t, text))
		if err == nil || p != (Policy{}) || !strings.Contains(err.Error(), "mend it") || strings.Contains(err.Error(), "policy.Policy") {
			t.Errorf("%.40q: %+v, %v", text, p, err)
		}
	}
	if _, err := ReadFile(t.TempDir()); err == nil {
		t.Error("a folder is a policy")
	}
}

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.json")
	for _, p := range []Policy{{AllowNative: true, AllowEmulation: true}, {}} {
		if err := Write(path, p); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadFile(path); err != nil || got != p {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := Write(filepath.Join(path, "below"), Policy{}); err == nil {
		t.Error("it was written below a file")
	}
}

// The environment stands before the file, in both ways.
func TestRead(t *testing.T) {
	for _, tt := range []struct {
		native, emulation, file string
		want                    Policy
	}{
		{"", "", `{"allow_native_execution":true}`, Policy{AllowNative: true}},
		{"false", "", `{"allow_native_execution":true}`, Policy{}},
		{"true", "1", `{}`, Policy{AllowNative: true, AllowEmulation: true}},
		{"", "true", `{"allow_native_execution":true}`, Policy{AllowNative: true, AllowEmulation: true}},
	} {
		t.Setenv(EnvNative, tt.native)
		t.Setenv(EnvEmulation, tt.emulation)
		if p, err := Read(file(t, tt.file)); err != nil || p != tt.want {
			t.Errorf("%+v: %+v, %v", tt, p, err)
		}
	}
	t.Setenv(EnvNative, "true")
	t.Setenv(EnvEmulation, "perhaps")
	if p, err := Read(file(t, `{}`)); err == nil || p != (Policy{}) || !strings.Contains(err.Error(), EnvEmulation) {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := Read(file(t, `nonsense`)); err == nil || p != (Policy{}) {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestEmulators(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("what can be executed is told by names there")
	}
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	put := func(name string, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	put("qemu-aarch64", 0o700)
	put("qemu-s390x-static", 0o700)
	put("qemu-arm", 0o600) // nobody may execute it
	if path, err := Emulator("arm64"); err != nil || path != filepath.Join(dir, "qemu-aarch64") {
		t.Errorf("%s, %v", path, err)
	}
	put("qemu-aarch64-static", 0o700)
	if path, err := Emulator("arm64"); err != nil || path != filepath.Join(dir, "qemu-aarch64-static") {
		t.Errorf("%s, %v: the static one comes first", path, err)
	}
	for arch, text := range map[string]string{"arm": "install", "amd64": "install", "pdp11": "no emulator", "../x": "no emulator", "": "no emulator"} {
		if path, err := Emulator(arch); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %s, %v", arch, path, err)
		}
	}
	if p := (Policy{AllowNative: true}).Powers(); !p.Native || len(p.Emulates) != 0 {
		t.Errorf("%+v", p)
	}
	p := Policy{AllowEmulation: true}.Powers()
	if p.Native || strings.Join(p.Emulates, " ") != "arm64 s390x" {
		t.Errorf("%+v", p)
	}
	if err := p.Validate(); err != nil {
		t.Error(err)
	}
	if len(emulators) > api.MaxEmulates {
		t.Errorf("%d emulators are more than members tell", len(emulators))
	}
	for arch := range emulators {
		if err := api.ValidatePlatform("linux/" + arch); err != nil {
			t.Error(err)
		}
	}
}

// FuzzReadFile: what is read is allowed in so many words, and is the same when written.
func FuzzReadFile(f *testing.F) {
	f.Add([]byte(`{"allow_native_execution":true,"allow_emulation":true}`))
	f.Add([]byte(`{}`))
	f.Add([]byte(`null`))
	path := filepath.Join(f.TempDir(), "policy.json")
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := ReadFile(path)
		switch {
		case err != nil && p != (Policy{}):
			t.Errorf("%q allows %+v, and is wrong: %v", b, p, err)
		case err == nil && p.AllowNative && !strings.Contains(string(b), "true"):
			t.Errorf("%q allows %+v", b, p)
		case err == nil:
			if err := Write(path, p); err != nil {
				t.Fatal(err)
			}
			if again, err := ReadFile(path); err != nil || again != p {
				t.Errorf("%+v became %+v, %v", p, again, err)
			}
		}
	})
}
