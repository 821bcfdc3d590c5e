package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
)

func TestMain(m *testing.M) {
	// realm key unlock runs this program once more.
	if slices.Equal(os.Args[1:], []string{"key", agentCommand}) {
		os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr))
	}
	own, err := os.MkdirTemp("", "cli")
	if err != nil {
		panic(err)
	}
	for _, v := range []string{"HOME", "XDG_CONFIG_HOME", "AppData"} { // whoever runs the tests has contexts of their own
		if err := os.Setenv(v, own); err != nil {
			panic(err)
		}
	}
	// os/signal keeps its goroutine for the life of the process.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("os/signal.loop"), goleak.Cleanup(func(code int) {
		os.RemoveAll(own)
		os.Exit(code)
	}))
}

// Every command says what it is for and how it is used, and no flag is unexplained.
func TestEveryCommandHasAnExample(t *testing.T) {
	seen := 0
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		seen++
		if c.Short == "" || !strings.Contains(c.Example, "realm") {
			t.Errorf("%s: short %q, example %q", c.CommandPath(), c.Short, c.Example)
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s: --%s is not explained", c.CommandPath(), f.Name)
			}
		})
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(&app{}))
	if seen < 25 {
		t.Errorf("only %d commands were looked at", seen)
	}
}

// The examples must be understood by the commands that they are for.
func TestExamplesParse(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for line := range strings.Lines(c.Example) {
			line, _, _ = strings.Cut(line, "#")
			_, command, ok := strings.Cut(" "+strings.TrimSpace(line), " realm ")
			if !ok || strings.Contains(line, "$(") || strings.Contains(line, "<(") {
				continue
			}
			root := newRoot(&app{})
			cmd, rest, err := root.Find(strings.Fields(command))
			if err == nil {
				err = cmd.ParseFlags(rest)
			}
			if err == nil && cmd.Args != nil {
				err = cmd.Args(cmd, cmd.Flags().Args())
			}
			if err != nil {
				t.Errorf("%s: %q: %v", c.CommandPath(), strings.TrimSpace(line), err)
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(&app{}))
}

func TestJSONArgs(t *testing.T) {
	for in, want := range map[string]string{
		"21":                  `21`,
		"-4":                  `-4`,
		"9223372036854775807": `9223372036854775807`,
		"1.5e300":             `1.5e300`,
		"NaN":                 `"NaN"`,
		"+Inf":                `"+Inf"`,
		"":                    `""`,
		"0x10":                `"0x10"`,
		"007":                 `"007"`,
		"[1]":                 `"[1]"`,
		"null":                `"null"`,
		"true":                `"true"`,
		`"21"`:                `"\"21\""`,
		"2 1":                 `"2 1"`,
	} {
		got := jsonArgs([]string{in})
		if len(got) != 1 || string(got[0]) != want || !json.Valid(got[0]) {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestResultText(t *testing.T) {
	for in, want := range map[string][2]string{ // as it is, and on a terminal
		"42":                      {"42\n", "42\n"},
		"9223372036854775807":     {"9223372036854775807\n", "9223372036854775807\n"},
		`"NaN"`:                   {"NaN\n", "NaN\n"},
		"[1,2]":                   {"[1,2]\n", "[1,2]\n"},
		"null":                    {"null\n", "null\n"},
		`""`:                      {"\n", "\n"},
		`"one\n\n\ttwo\n"`:        {"one\n\n\ttwo\n", "one\n\n\ttwo\n"},
		`"\u001b[2J\r\u0007x\ny"`: {"\x1b[2J\r\ax\ny\n", "[2Jx\ny\n"},
	} {
		for i, terminal := range []bool{false, true} {
			if got := resultText(json.RawMessage(in), terminal); got != want[i] {
				t.Errorf("%s, on a terminal: %t: %q, want %q", in, terminal, got, want[i])
			}
		}
	}
}

// TestWithStdin reads what "-" stands for.
func TestWithStdin(t *testing.T) {
	for text, bad := range map[string]string{
		"two\nlines\n": "", "": "", strings.Repeat("x", api.MaxText): "",
		strings.Repeat("x", api.MaxText+1): "64 KiB", "\xff": "UTF-8",
	} {
		file := filepath.Join(t.TempDir(), "in")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		in, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := (&app{in: in}).withStdin([]string{"1", "-"})
		in.Close()
		switch {
		case bad == "" && (err != nil || !slices.Equal(got, []string{"1", text})):
			t.Errorf("%.20q: %.40q, %v", text, got, err)
		case bad != "" && (err == nil || !strings.Contains(err.Error(), bad)):
			t.Errorf("%.20q: %v", text, err)
		}
	}
	if got, err := (&app{}).withStdin([]string{"a", "b"}); err != nil || !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := (&app{}).withStdin([]string{"\xff"}); err == nil {
		t.Error("bytes that are no text pass")
	}
}

func TestFormat(t *testing.T) {
	now := time.Unix(1e9, 0)
	for want, got := range map[string]string{
		"-":        ageText(now, time.Time{}),
		"0s":       ageText(now, now.Add(time.Second)),
		"59s":      ageText(now, now.Add(-59*time.Second)),
		"59m":      ageText(now, now.Add(-time.Hour+1)),
		"47h":      ageText(now, now.Add(-47*time.Hour)),
		"3d":       ageText(now, now.Add(-80*time.Hour)),
		"1023 B":   bytesText(1023),
		"1.5 KiB":  bytesText(1536),
		"64.0 MiB": bytesText(64 << 20),
		"1 node":   plural(1, "node"),
		"0 nodes":  plural(0, "node"),
		"a b [2J":  oneLine("a\n\tb \x1b[2J"),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := peerText("", "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"); got != "a member (…4kx6nXTN)" {
		t.Error(got)
	}
}

func TestParseRefs(t *testing.T) {
	for in, want := range map[string]string{
		"web":              "component/web function/web",
		"component/web":    "component/web",
		"function/web":     "function/web",
		"function/a/b":     "",
		"job/web":          "",
		"":                 "",
		"component/":       "",
		"function/../../x": "",
	} {
		refs, err := parseRefs(in)
		var got []string
		for _, r := range refs {
			got = append(got, r.String())
		}
		if err != nil && want != "" || err == nil && strings.Join(got, " ") != want {
			t.Errorf("%q: %v %v, want %q", in, got, err, want)
		}
	}
}

func TestNameOf(t *testing.T) {
	for in, want := range map[string]api.Name{
		"ticker.wasm": "ticker", "/a/b/Hello-CGI.wasm": "hello-cgi", "plain": "plain", "my app.wasm": "", ".wasm": "", "": "",
	} {
		got, err := nameOf(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v, want %q", in, got, err, want)
		}
	}
}

func TestBestAddrs(t *testing.T) {
	for in, want := range map[string]string{
		"":                                    "",
		"/ip4/127.0.0.1/tcp/1":                "/ip4/127.0.0.1/tcp/1",
		"/ip4/127.0.0.1/udp/1 /ip6/::1/udp/1": "/ip4/127.0.0.1/udp/1",
		"/ip4/192.0.2.1/udp/1 /ip4/192.0.2.1/tcp/1 /ip4/127.0.0.1/udp/1 /ip6/::1/udp/1": "/ip4/192.0.2.1/udp/1",
		"/ip4/192.0.2.1/tcp/1 /ip6/fd00::1/tcp/1":                                       "/ip4/192.0.2.1/tcp/1 /ip6/fd00::1/tcp/1",
	} {
		if got := strings.Join(bestAddrs(strings.Fields(in)), " "); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
