package cli

import (
	"os"
	"testing"

	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/policy"
)

func TestPolicy(t *testing.T) {
	for _, name := range []string{policy.EnvNative, policy.EnvEmulation} {
		t.Setenv(name, "")
	}
	home, err := paths.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	m := &mesh{t: t, home: home}
	file := home.Policy()
	want := func(code int, want []string, args ...string) {
		t.Helper()
		m.want(code, want, append([]string{"policy"}, args...)...)
	}
	want(0, []string{"native execution  forbidden  by default\n", "emulation         forbidden  by default\n", file}, "show")
	want(2, []string{"say --allow-native or --allow-emulation"}, "set")
	want(2, []string{"invalid argument"}, "set", "--allow-native=perhaps")
	want(0, []string{"native execution  allowed    by file\n", "emulation         forbidden  by file\n"}, "set", "--allow-native")
	want(0, []string{"native execution  allowed  by file\n", "emulation         allowed  by file\n"}, "set", "--allow-emulation=true")
	if p, err := policy.ReadFile(file); err != nil || !p.AllowNative || !p.AllowEmulation {
		t.Errorf("%+v %v", p, err)
	}

	t.Setenv(policy.EnvNative, "false") // the environment stands before the file
	want(0, []string{"native execution  forbidden  by " + policy.EnvNative, "emulation         allowed    by file"}, "show")
	want(0, []string{`"from": "` + policy.EnvNative + `"`, `"value": false`, `"file": "`}, "show", "--json")
	t.Setenv(policy.EnvNative, "no way")
	want(1, []string{policy.EnvNative + `="no way": want true or false`}, "show")
	t.Setenv(policy.EnvNative, "")

	if err := os.WriteFile(file, []byte(`{"allow_native_execution": "yes"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	want(1, []string{file, "mend it, or remove it to allow nothing"}, "show")
	want(1, []string{"mend it"}, "set", "--allow-native=false")
}
