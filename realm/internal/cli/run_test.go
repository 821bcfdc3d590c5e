package cli

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestRunFlags(t *testing.T) {
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	quoted, err := json.Marshal(here)
	if err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"a.wasm":                       `{"file":"a.wasm"}`,
		"a.wasm --fuel x y --invoke z": `{"file":"a.wasm","args":["--fuel","x","y","--invoke","z"]}`,
		"--fuel 5 --memory-max-mb 16 --epoch-ms 7 a.wasm":     `{"file":"a.wasm","limits":{"memory_max_mb":16,"fuel":5,"epoch_ms":7}}`,
		"--invoke f --stats a.wasm -21":                       `{"file":"a.wasm","args":["-21"],"invoke":"f","stats":true}`,
		"--serve 127.0.0.1:0 --allow-host a:1 a.wasm x":       `{"file":"a.wasm","args":["x"],"serve":"127.0.0.1:0","allow_hosts":["a:1"]}`,
		"--serve 127.0.0.1 a.wasm":                            "want an address with a port",
		"--serve :1 --invoke f a.wasm":                        "serve and invoke",
		"--allow-host a/b a.wasm":                             "as a whole",
		"--env A=B=C --env D= a.wasm":                         `{"file":"a.wasm","env":{"A":"B=C","D":""}}`,
		"--mount host=.,guest=/b,ro a.wasm":                   `{"file":"a.wasm","mounts":[{"host":` + string(quoted) + `,"guest":"/b","ro":true}]}`,
		"--memory-max-mb 5000 a.wasm":                         "memory_max_mb 5000: want 1 to 4096",
		"--env A a.wasm":                                      "NAME=VALUE",
		"--mount host=. a.wasm":                               "guest",
		"--mount host=.,guest=/a --mount host=.,guest=/a a.w": "/a",
	} {
		t.Run(args, func(t *testing.T) {
			var f runFlags
			flags := pflag.NewFlagSet("run", pflag.ContinueOnError)
			f.declare(flags)
			if err := flags.Parse(strings.Fields(args)); err != nil {
				t.Fatal(err)
			}
			spec, err := f.spec(flags.Args())
			if !strings.HasPrefix(want, "{") {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want an error that says %s", err, want)
				}
				return
			}
			if err != nil || !filepath.IsAbs(spec.Cache) {
				t.Fatalf("%v, and machine code in %q", err, spec.Cache)
			}
			got, err := json.Marshal(spec)
			if err != nil {
				t.Fatal(err)
			}
			var all map[string]any
			if err := json.Unmarshal(got, &all); err != nil {
				t.Fatal(err)
			}
			delete(all, "cache")
			var wanted map[string]any
			if err := json.Unmarshal([]byte(want), &wanted); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(all, wanted) {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}
