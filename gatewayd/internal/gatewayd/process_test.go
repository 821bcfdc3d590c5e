package gatewayd

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/daemon"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// envDaemon makes the test binary be gatewayd itself.
const envDaemon = "GATEWAYD_TEST_DAEMON"

func TestMain(m *testing.M) {
	if os.Getenv(envDaemon) != "" {
		os.Exit(daemon.Main(api.Gatewayd, New))
	}
	goleak.VerifyTestMain(m)
}

// process is a running gatewayd.
type process struct {
	*testing.T
	cmd      *exec.Cmd
	lifeline io.WriteCloser
	ended    chan struct{} // closed when it has

	mu     sync.Mutex
	stderr bytes.Buffer

	http, manage string // HOST:PORT
	note         string // what it said when it was ready
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.Write(b)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}

// start runs gatewayd in the home with more variables of the environment.
func start(t *testing.T, h paths.Home, env ...string) *process {
	t.Helper()
	p := &process{T: t, cmd: exec.Command(os.Args[0]), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), envDaemon+"=1", daemon.EnvLifeline+"=1", paths.EnvHome+"="+h.Root(),
		"REALM_HTTP_LISTEN=127.0.0.1:0", "REALM_MANAGE_LISTEN=127.0.0.1:0")
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Stderr = p
	var err error
	if p.lifeline, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is read from its state
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // fails when it has ended
		<-p.ended
		if t.Failed() {
			t.Logf("gatewayd said:\n%s", p.output())
		}
	})
	return p
}

// ready waits until p has told l where it listens.
func (p *process) ready(l *launcher) *process {
	p.Helper()
	select {
	case r := <-l.ready:
		p.note = r.Note
		if _, err := fmt.Sscanf(strings.ReplaceAll(r.Note, ",", " "), "programs at http://%s metrics and logs at http://%s", &p.http, &p.manage); err != nil {
			p.Fatalf("note %q: %v", r.Note, err)
		}
	case <-p.ended:
		p.Fatalf("gatewayd ended:\n%s", p.output())
	case <-time.After(20 * time.Second):
		p.Fatalf("gatewayd does not become ready:\n%s", p.output())
	}
	return p
}

// exit waits for the end of p and returns its exit code.
func (p *process) exit() int {
	p.Helper()
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		p.Fatal("gatewayd does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}

var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}

func ask(t *testing.T, method, url, body string, host string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Host = host
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(b)
}

func (p *process) exec(body string) (int, string) {
	p.Helper()
	return ask(p.T, http.MethodPost, "http://"+p.http+"/exec", body, "")
}

// until calls ok until it is true.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 15 s: %s", what)
		}
	}
}

// runnerd answers calls with its name.
func runnerd(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/functions/") {
			fmt.Fprintf(w, `{"result":%q}`, name)
			return
		}
		fmt.Fprintf(w, "%s %s", name, r.URL.Path)
	})
}
