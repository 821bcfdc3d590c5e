package wasm

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// specDir is the folder of the specification's tests, in compiled form, as wazero's
// module has them.
func specDir(t testing.TB) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test", "spectest")
}

// command is one step of a test of the specification.
type command struct {
	Type     string `json:"type"`
	Line     int    `json:"line"`
	Filename string `json:"filename"`
	Text     string `json:"text"`
	Kind     string `json:"module_type"`
}

// modules calls fn for each compiled module of the suites.
func modules(t testing.TB, fn func(name string, c command, b []byte), suites ...string) {
	t.Helper()
	for _, suite := range suites {
		dir := filepath.Join(specDir(t), suite, "testdata")
		scripts, err := filepath.Glob(filepath.Join(dir, "*.json"))
		if err != nil || len(scripts) == 0 {
			t.Fatalf("no tests in %s: %v", dir, err)
		}
		for _, path := range scripts {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var script struct{ Commands []command }
			if err := json.Unmarshal(raw, &script); err != nil {
				t.Fatal(err)
			}
			for _, c := range script.Commands {
				if c.Filename == "" || c.Kind == "text" {
					continue
				}
				b, err := os.ReadFile(filepath.Join(dir, c.Filename))
				if err != nil {
					t.Fatal(err)
				}
				fn(suite+"/"+filepath.Base(path)+"/"+c.Filename, c, b)
			}
		}
	}
}

// TestSpecification decodes what the specification calls valid, and refuses what it does not.
func TestSpecification(t *testing.T) {
	f := Features{ExtendedConst: true, TailCalls: true}
	counts := map[string]int{}
	modules(t, func(name string, c command, b []byte) {
		counts[c.Type]++
		_, err := Decode(b, f, DefaultCaps())
		switch c.Type {
		case "module", "assert_unlinkable", "assert_uninstantiable", "assert_trap":
			if err != nil {
				t.Errorf("%s (line %d): %v", name, c.Line, err)
			}
		case "assert_invalid", "assert_malformed":
			if strings.HasPrefix(name, "v1/") {
				break // release 2.0 allows some of it
			}
			if err == nil {
				t.Errorf("%s (line %d) is accepted; %s", name, c.Line, c.Text)
			} else if why := new(Error); !errors.As(err, &why) || why.Reason == "" || why.Offset > len(b) {
				t.Errorf("%s (line %d): %v is no reason", name, c.Line, err)
			}
		default:
			t.Errorf("%s: %s is not known", name, c.Type)
		}
	}, "v1", "v2", "extended-const", "tail-call")
	t.Log(counts)
	if counts["module"] < 1500 || counts["assert_invalid"] < 1500 {
		t.Errorf("only %v", counts)
	}
}
