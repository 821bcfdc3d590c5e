//go:build unix

package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/e2e/internal/node"
	"github.com/realm-mesh/realm/internal/kit/hosttest"
)

var lan = []string{"node1", "node2", "node3", "node4", "node5"}

// containers is the mesh of docker-compose.yml.
type containers struct {
	t    *testing.T
	peer map[string]string // services by the peer ids of their nodes, once learned
}

func startContainers(t *testing.T) containers {
	hosttest.Need(t, hosttest.Docker)
	t.Setenv("COMPOSE_PROJECT_NAME", fmt.Sprintf("realmtest%d", os.Getpid()))
	c := containers{t, map[string]string{}}
	t.Cleanup(func() {
		if t.Failed() {
			for _, s := range append(lan, "node6") {
				out, _ := c.run(context.Background(), "logs", "--no-color", s)
				t.Logf("--- logs of %s:\n%s", s, out)
			}
		}
		if out, err := c.script(context.Background(), "down"); err != nil {
			t.Errorf("remove the containers: %v\n%s", err, out)
		}
	})
	if out, err := exec.Command("./image.sh").CombinedOutput(); err != nil {
		t.Fatalf("build the image: %v\n%s", err, out)
	}
	if out, err := c.script(testContext(t), "up"); err != nil {
		t.Fatalf("start the containers: %v\n%s", err, out)
	}
	return c
}

func (c containers) script(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "./mesh.sh", args...).CombinedOutput()
	return string(out), err
}

func (c containers) run(ctx context.Context, args ...string) (string, error) {
	out, err := c.script(ctx, append([]string{"compose"}, args...)...)
	if err != nil {
		err = fmt.Errorf("compose %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return out, err
}

// realm runs the command line inside a container.
func (c containers) realm(ctx context.Context, container string, args ...string) (string, error) {
	return c.run(ctx, append([]string{"exec", "-T", container, "/bin/realm"}, args...)...)
}

func (c containers) double(ctx context.Context, name string, where ...string) error {
	for _, s := range where {
		out, err := c.realm(ctx, s, "fn", "exec", name, "21")
		if err == nil && strings.TrimSpace(out) != "42" {
			err = node.Final(fmt.Errorf("%s: %s 21 = %q", s, name, out))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c containers) peers(ctx context.Context, container string) (node.Peers, error) {
	var p node.Peers
	out, err := c.realm(ctx, container, "peers", "--json")
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal([]byte(out), &p); err != nil {
		return p, fmt.Errorf("%w in %s", err, out)
	}
	return p, nil
}

// TestContainers is the mesh that "make mesh" starts: five nodes that find each
// other by mDNS alone, a sixth that knows one address. All hear of all, though only
// one has a way to the sixth.
func TestContainers(t *testing.T) {
	c := startContainers(t)
	all := append([]string{"node6"}, lan...)

	for _, s := range lan {
		want := 4
		if s == "node1" {
			want = 5 // and node6
		}
		until(t, s+" to find the others", func(ctx context.Context) error {
			p, err := c.peers(ctx, s)
			if err == nil && (p.Connected() != want || p.Live() != len(lan)) {
				err = fmt.Errorf("connected to %d of %d that live, want %d of %d", p.Connected(), p.Live(), want, len(lan))
			}
			return err
		})
	}

	if _, err := c.realm(testContext(t), "node1", "fn", "deploy", "--wasm", "/samples/double.wasm", "--name", "double"); err != nil {
		t.Fatal(err)
	}
	until(t, "double everywhere", func(ctx context.Context) error { return c.double(ctx, "double", all...) })

	// One goes away, misses a push, and has it within seconds of coming back.
	if _, err := c.run(testContext(t), "stop", "node4"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.realm(testContext(t), "node1", "fn", "deploy", "--wasm", "/samples/double.wasm", "--name", "later"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.run(testContext(t), "start", "node4"); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	until(t, "node4 has what was pushed meanwhile", func(ctx context.Context) error { return c.runsIn(ctx, "node4", "later") })
	t.Logf("node4 runs what it missed %v after docker start returned", time.Since(back).Round(100*time.Millisecond))
}

// runsIn wants the workload to run in the container itself.
func (c containers) runsIn(ctx context.Context, container, name string) error {
	out, err := c.realm(ctx, container, "whoami", "--json")
	if err != nil {
		return err
	}
	var who node.Whoami
	if err := json.Unmarshal([]byte(out), &who); err != nil {
		return err
	}
	if out, err = c.realm(ctx, container, "status", "--json"); err != nil {
		return err
	}
	var st status
	if err := json.Unmarshal([]byte(out), &st); err != nil {
		return err
	}
	if !st.runs(name, who.Peer) {
		return errors.New("it does not run " + name)
	}
	return nil
}

// TestPartition cuts a network in two, has each side push something else under one
// name, and mends it. All follow the same version, and remember the other.
func TestPartition(t *testing.T) {
	c := startContainers(t)
	// node6 reaches the others through node1 alone: cut there, each side has an owner's key.
	until(t, "node6 to be connected", func(ctx context.Context) error {
		p, err := c.peers(ctx, "node6")
		if err == nil && p.Connected() == 0 {
			err = errors.New("it is not")
		}
		return err
	})
	// The owner carries key and program to the other side, too.
	for _, file := range []string{"../dist/mesh/owner.pem", "../samples/build/double.wasm"} {
		c.docker("cp", file, c.id("node6")+":/"+filepath.Base(file))
	}
	deploy := func(where, key, file, epoch string) error {
		_, err := c.run(testContext(t), "exec", "-T", "-e", "REALM_OWNER_KEY="+key, where, "/bin/realm",
			"fn", "deploy", "--wasm", file, "--name", "double", "--epoch-ms", epoch)
		return err
	}
	if err := deploy("node1", "/owner/owner.pem", "/samples/double.wasm", "1000"); err != nil {
		t.Fatal(err)
	}
	until(t, "double on node6", func(ctx context.Context) error { return c.double(ctx, "double", "node6") })
	c.network("disconnect", "far", "node6")
	until(t, "node6 to be alone", func(ctx context.Context) error {
		p, err := c.peers(ctx, "node6")
		if err == nil && p.Connected() != 0 {
			err = fmt.Errorf("connected to %d", p.Connected())
		}
		return err
	})
	if err := deploy("node1", "/owner/owner.pem", "/samples/double.wasm", "2000"); err != nil {
		t.Fatal(err)
	}
	if err := deploy("node6", "/owner.pem", "/double.wasm", "3000"); err != nil {
		t.Fatal(err)
	}
	c.network("connect", "far", "node6")
	first := map[string]string{}
	for _, s := range append([]string{"node6"}, lan...) {
		until(t, "the fork in the history of "+s, func(ctx context.Context) error {
			out, err := c.realm(ctx, s, "history", "double", "--json")
			if err != nil {
				return err
			}
			var h history
			if err := json.Unmarshal([]byte(out), &h); err != nil {
				return node.Final(err)
			}
			if got := h.states(); got != "2 current, 2 fork, 1 replaced" {
				return fmt.Errorf("it is %s", got)
			}
			first[h.Versions[0].Digest] = s
			return nil
		})
	}
	if len(first) != 1 {
		t.Errorf("different versions are followed: %v", first)
	}
}

// network connects a container to a network of the mesh, or takes it off.
func (c containers) network(verb, network, service string) {
	c.t.Helper()
	args := []string{"network", verb}
	if verb == "connect" {
		args = append(args, "--alias", service)
	}
	c.docker(append(args, os.Getenv("COMPOSE_PROJECT_NAME")+"_"+network, c.id(service))...)
}

// id is the name by which docker knows the container of a service.
func (c containers) id(service string) string {
	c.t.Helper()
	id, err := c.run(testContext(c.t), "ps", "-q", service)
	if err != nil {
		c.t.Fatal(err)
	}
	return strings.TrimSpace(id)
}

func (c containers) docker(args ...string) {
	c.t.Helper()
	if out, err := exec.CommandContext(testContext(c.t), "docker", args...).CombinedOutput(); err != nil {
		c.t.Fatalf("docker %v: %v\n%s", args, err, out)
	}
}
