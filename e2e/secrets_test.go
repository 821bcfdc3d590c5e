package e2e_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/e2e/internal/node"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// setSecret sets a secret from standard input.
func setSecret(t *testing.T, n *node.Node, value string, args ...string) string {
	t.Helper()
	cmd := n.Command(testContext(t), append([]string{"secret", "set"}, args...)...)
	cmd.Stdin = strings.NewReader(value)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// line is what the sample says of a secret.
func line(what, value string) string {
	return fmt.Sprintf("%s: %d bytes, sha256 %x\n", what, len(value), sha256.Sum256([]byte(value)))
}

// reads waits until the reader on a node says want.
func reads(t *testing.T, n *node.Node, want string) {
	t.Helper()
	until(t, n.Name+" reads what it was given", func(ctx context.Context) error {
		code, body, err := tryRequest(ctx, http.MethodGet, "http://"+n.HTTP+"/reader/", "", nil)
		if err == nil && (code != http.StatusOK || body != want) {
			err = fmt.Errorf("%d: %q, want %q", code, body, want)
		}
		return err
	})
}

// explainSays waits until realm explain says want.
func explainSays(t *testing.T, n *node.Node, name, want string) {
	t.Helper()
	until(t, "realm explain says "+want, func(ctx context.Context) error {
		out, err := n.Do(ctx, "explain", name)
		if err == nil && !strings.Contains(out, want) {
			err = fmt.Errorf("it says\n%s", out)
		}
		return err
	})
}

// TestSecrets gives a secret to programs on three members and to one that comes later, and
// looks for it in all that the nodes have and say.
func TestSecrets(t *testing.T) {
	t.Parallel()
	const control = "planted-4f1d9a-in-the-open"
	const first, second, file = "planted-4f1d9a-first", "planted-4f1d9a-second", "planted-4f1d9a-file\nwith two lines"
	nodes := startMesh(t, 3)
	refuse(t, nodes[0], []string{"there is no such secret", "realm secret set db"}, "push", "--name", "reader", "--file", sample("secret-reader"), "--http", "cgi", "--secret", "db=env:DB_PASSWORD")
	setSecret(t, nodes[0], first+"\n", "db")
	setSecret(t, nodes[1], file, "tls")
	do(t, nodes[0], "push", "--name", "reader", "--file", sample("secret-reader"), "--http", "cgi", "--secret", "db=env:DB_PASSWORD", "--secret", "tls", "--env", "PLAIN="+control)
	watchReplicas(t, nodes[0], "reader").settle(3, 0)
	want := line("env DB_PASSWORD", first) + line("file tls", file)
	for _, n := range nodes {
		reads(t, n, want)
	}

	// A member that comes later gets it from one that has it.
	late := newNode(t, "node 4", nodes[0].OwnerKey)
	addr, err := nodes[0].Addr(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	start(t, late, "--mdns=false", "--bootstrap", addr)
	watchReplicas(t, late, "reader").settle(4, 0)
	reads(t, late, want)
	killDaemon(t, late, "runnerd") // what was passed on is kept
	reads(t, late, want)
	nodes = append(nodes, late)

	// Set anew, programs have it from their next start on.
	out := setSecret(t, nodes[2], second, "db")
	if !strings.Contains(out, "realm restart reader") {
		t.Errorf("%s", out)
	}
	do(t, nodes[0], "restart", "reader")
	for _, n := range nodes {
		reads(t, n, line("env DB_PASSWORD", second)+line("file tls", file))
	}
	if out := do(t, nodes[1], "secret", "ls"); !strings.Contains(out, "reader") || !strings.Contains(out, "db") {
		t.Errorf("%s", out)
	}
	refuse(t, nodes[0], []string{"is used by component reader"}, "secret", "rm", "db")

	for _, planted := range []string{first, second, "planted-4f1d9a-file"} {
		for _, n := range nodes {
			for _, where := range lookFor(t, n, planted) {
				t.Errorf("%q is in %s", planted, where)
			}
		}
	}
	for _, n := range nodes { // what is looked for is found where it is no secret
		where := strings.Join(lookFor(t, n, control), "\n")
		if !strings.Contains(where, "bucket intents component.reader") || !strings.Contains(where, filepath.Join(n.Home, "bus")) {
			t.Errorf("%s: a plain variable is found only in\n%s", n.Name, where)
		}
	}

	// Who is not meant gets nothing, and says why.
	chosen := peerOf(t, nodes[0])
	setSecret(t, nodes[0], second, "narrow", "--peer", chosen)
	refuse(t, nodes[0], []string{"none of these is for"}, "push", "--name", "wrong", "--file", sample("secret-reader"), "--http", "cgi", "--secret", "narrow", "--peer", peerOf(t, nodes[1]))
	do(t, nodes[0], "push", "--name", "half", "--file", sample("secret-reader"), "--http", "cgi", "--secret", "narrow", "--replicas", "2", "--wait=false")
	explainSays(t, nodes[0], "half", "it is meant for other members")

	// Revoked, a member is told nothing, and what it could read is listed.
	gone := peerOf(t, late)
	out = do(t, nodes[0], "peers", "revoke", gone, "--yes")
	if !strings.Contains(out, "db, version 2") || !strings.Contains(out, "tls, version 1") || strings.Contains(out, "narrow") {
		t.Errorf("what it could read is not told as it is:\n%s", out)
	}
	do(t, nodes[0], "rm", "reader")
	do(t, nodes[0], "secret", "rm", "db")
	refuse(t, nodes[0], []string{"there is no such secret"}, "secret", "rm", "db")
}

// TestSecretsOfOthers: a granted key reaches no secret but its own, neither by naming it nor by
// copying it.
func TestSecretsOfOthers(t *testing.T) {
	t.Parallel()
	nodes := startMesh(t, 1)
	setSecret(t, nodes[0], "planted-of-the-owner", "db")
	setSecret(t, nodes[0], "planted-for-ci", "ci-token")
	guest := newNode(t, "guest", filepath.Join(t.TempDir(), "ci.key"))
	guest.Home, guest.HTTP = nodes[0].Home, nodes[0].HTTP
	do(t, guest, "init")
	key := strings.TrimSpace(do(t, guest, "key", "show"))
	do(t, nodes[0], "grant", key, "--may", "push,secret", "--prefix", "ci-")
	do(t, guest, "push", "--name", "ci-own", "--file", sample("secret-reader"), "--http", "cgi", "--secret", "ci-token", "--wait=false")
	do(t, guest, "push", "--name", "ci-thief", "--file", sample("secret-reader"), "--http", "cgi", "--secret", "db", "--wait=false")
	explainSays(t, nodes[0], "ci-thief", "may not use it")
	until(t, "its own secret is given", func(ctx context.Context) error {
		code, body, err := tryRequest(ctx, http.MethodGet, "http://"+nodes[0].HTTP+"/ci-own/", "", nil)
		if want := line("file ci-token", "planted-for-ci"); err == nil && (code != http.StatusOK || body != want) {
			err = fmt.Errorf("%d: %q", code, body)
		}
		return err
	})
}

// lookFor looks for a planted value in all files of a node, in all facts of its bus, and in all that it answers, as
// it is and in some encodings, and says where it is.
func lookFor(t *testing.T, n *node.Node, planted string) (found []string) {
	t.Helper()
	forms := map[string][]byte{
		"as it is": []byte(planted), "in hex": []byte(hex.EncodeToString([]byte(planted))),
	}
	for shift := range 3 { // wherever it begins in what is encoded
		padded := append(bytes.Repeat([]byte{'x'}, shift), planted...)
		text := base64.StdEncoding.EncodeToString(padded)
		forms[fmt.Sprint("in base64, ", shift)] = []byte(text[4 : len(planted)/3*4])
	}
	check := func(where string, b []byte) {
		for form, want := range forms {
			if bytes.Contains(b, want) {
				found = append(found, fmt.Sprintf("%s: %s, %s", n.Name, where, form))
			}
		}
	}
	files := 0
	err := filepath.WalkDir(n.Home, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return nil //nolint:nilerr // it has gone meanwhile, or is a socket
		}
		b, err := os.ReadFile(path)
		if err == nil {
			files++
			check(path, b)
		}
		return nil
	})
	if err != nil || files < 20 {
		t.Errorf("%d files, %v", files, err)
	}
	check("what realm up writes", []byte(n.Output()))
	for key, value := range bucketValues(t, n) {
		check("bucket "+key, value)
	}
	const pages = "/api/v1"
	for _, path := range []string{"/metrics", "/logs?component=__all__&tail=1000", "/logs?component=reader&tail=1000",
		pages + "/node", pages + "/peers", pages + "/members", pages + "/components", pages + "/components/reader", pages + "/components/reader/history",
		pages + "/intents", pages + "/intents/secret/db", pages + "/intents/component/reader", pages + "/events", pages + "/storage"} {
		code, body := request(t, http.MethodGet, "http://"+n.Manage+path, "", nil)
		if code != http.StatusOK || strings.HasSuffix(path, "/events") && !strings.Contains(body, "reader") {
			t.Errorf("%s: %s: %d: %.200s", n.Name, path, code, body)
		}
		check(path, []byte(body))
	}
	for _, args := range [][]string{{"status", "--json"}, {"explain", "reader", "--json"}, {"history", "reader", "--json"}, {"history", "secret/db", "--json"}, {"secret", "ls", "--json"}, {"logs", "reader"}} {
		check("realm "+strings.Join(args, " "), []byte(do(t, n, args...)))
	}
	pid, err := n.DaemonPID(testContext(t), "runnerd")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		t.Error(err)
	}
	check("runnerd's environment", b)
	b, err = os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil || !strings.Contains(strings.Join(strings.Fields(string(b)), " "), "Max core file size 0 0") {
		t.Errorf("%s: runnerd could leave a core file: %v\n%s", n.Name, err, b)
	}
	return found
}

// bucketValues are the values of all buckets of a node: intents, records and facts.
func bucketValues(t *testing.T, n *node.Node) map[string][]byte {
	t.Helper()
	home, err := paths.Open(n.Home)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := bus.Connect(testContext(t), home, api.CLI, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	out := map[string][]byte{}
	for _, name := range []string{api.BucketIntents, api.BucketPeers, api.BucketWorkloads, api.BucketJobs} {
		b, err := conn.Bucket(testContext(t), name)
		if err != nil {
			t.Fatal(err)
		}
		all, err := b.All(testContext(t), ">")
		if err != nil || len(all) == 0 && name != api.BucketJobs {
			t.Fatalf("%s: %d values, %v", name, len(all), err)
		}
		for _, e := range all {
			out[name+" "+e.Key] = e.Value
		}
	}
	return out
}
