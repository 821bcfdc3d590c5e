package runnerd

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine/wasmtest"
)

var (
	double = api.Ref{Kind: api.KindFunction, Name: "double"}
	worker = api.Ref{Kind: api.KindComponent, Name: "worker"}
)

// times is a function that returns its argument times v.
func (n *node) times(v byte) *api.Function {
	f := wasmtest.Func{Export: "double", Params: []byte{wasmtest.I64}, Results: []byte{wasmtest.I64}, Code: []byte{0x20, 0, 0x42, v, 0x7e}}
	return &api.Function{Module: n.program(wasmtest.Functions(f))}
}

func (n *node) script(steps ...wasmtest.Step) *api.Component {
	return &api.Component{Module: n.program(wasmtest.Script(steps...))}
}

func TestFunctionIsCalled(t *testing.T) {
	n := newNode(t)
	n.start()
	n.push(double, n.times(2))
	n.awaitState(double, 1, api.StateRunning)
	for args, want := range map[string]string{
		`[21]`:                    `200 {"result":42}`,
		`["4611686018427387903"]`: `200 {"result":9223372036854775806}`,
		`[1,2]`:                   `400 function/double: 2 arguments given, and the function is double(i64) -> (i64): give 1`,
		`[1.5]`:                   `400 function/double: argument 1 of double(i64) -> (i64): 1.5 is no integer, and the parameter is i64: write it without point and exponent`,
	} {
		if got := n.call("double", args); got != want {
			t.Errorf("%s: %s", args, got)
		}
	}
	resp, body := n.request(http.MethodPost, api.PathFunction("nope"), `{"args":[]}`)
	if resp.StatusCode != http.StatusNotFound || resp.Header.Get(api.HeaderNotAccepted) != api.NotAcceptedUnknown || !strings.Contains(body, "not on this node") {
		t.Error(resp.Status, resp.Header, body)
	}
	resp, body = n.request(http.MethodPost, api.PathFunction("double"), `{"arg`)
	if resp.StatusCode != http.StatusBadRequest || resp.Header.Get(api.HeaderNotAccepted) != "" {
		t.Error(resp.Status, body)
	}
	if resp, body = n.request(http.MethodGet, "/metrics", ""); !strings.Contains(body, `realm_runnerd_calls_total{result="ok",workload="function/double"} 2`) {
		t.Error(resp.Status, body)
	}
}

// A command is called with text, and its failure told in its own words alone.
func TestCommandIsCalled(t *testing.T) {
	n := newNode(t)
	n.start()
	for name, steps := range map[api.Name][]wasmtest.Step{
		"copies": {wasmtest.Copy()},
		"fails":  {wasmtest.Err("no such town\n"), wasmtest.Leave(3)},
		"bytes":  {wasmtest.Err("not told\n"), wasmtest.Out("\xff")},
	} {
		ref := api.Ref{Kind: api.KindFunction, Name: name}
		n.push(ref, &api.Function{Module: n.program(wasmtest.Script(steps...))})
		n.awaitState(ref, 1, api.StateRunning)
	}
	for args, want := range map[string]string{
		`["<ä>\n"]`: `200 {"result":"<ä>\n"}`, `[21]`: `200 {"result":"21"}`, `[]`: `200 {"result":""}`,
		`["` + strings.Repeat("<", 60<<10) + `"]`: `200 {"result":"` + strings.Repeat("<", 60<<10) + `"}`,
		`["\ud800"]`: `400 function/copies: the argument holds \ud800, half of a surrogate pair, which is no character`,
	} {
		if got := n.call("copies", args); got != want {
			t.Errorf("%.60s: %.120s", args, got)
		}
	}
	for name, want := range map[api.Name]string{
		"fails": `{"error":"function/fails: exit code 3: a command that has a result ends with code 0","tail":["no such town"]}`,
		"bytes": `is no UTF-8`,
	} {
		resp, body := n.request(http.MethodPost, api.PathFunction(name), `{"args":[]}`)
		if resp.StatusCode != http.StatusBadGateway || !strings.Contains(body, want) {
			t.Errorf("%s: %s %s", name, resp.Status, body)
		}
	}
}

func TestOnlyTheOwnerIsFollowed(t *testing.T) {
	n := newNode(t)
	n.start()
	n.push(double, n.times(2))
	n.awaitState(double, 1, api.StateRunning)
	_, stranger, err := ed25519.GenerateKey(nil)
	n.check(err)
	accepted, first := n.bucket(api.BucketIntents), n.prev[double]
	put := func(key string, envelope []byte) {
		t.Helper()
		n.check(accepted.Put(t.Context(), key, envelope))
	}
	forged := n.sign(double, n.times(3), api.Target{}, stranger)
	put(forged.Slot().Key(), forged.Envelope)
	put(first.Slot().Key(), forged.Envelope)
	put(first.Slot().Key(), []byte("{}"))
	other := first.Slot()
	other.Name = "other"
	put(other.Key(), n.sign(double, n.times(4), api.Target{}, n.owner).Envelope)
	n.push(double, n.times(5))
	n.awaitState(double, 2, api.StateRunning)
	put(first.Slot().Key(), first.Envelope)             // a replay
	n.push(worker, n.script(wasmtest.Sleep(time.Hour))) // by now all before it is seen
	n.awaitState(worker, 1, api.StateRunning)
	if got := n.call("double", "[10]"); got != `200 {"result":50}` {
		t.Error(got)
	}
	n.stop()
	n.start()
	n.awaitState(worker, 1, api.StateRunning)
	if got := n.call("double", "[10]"); strings.HasPrefix(got, "200") {
		t.Errorf("a replay is followed after a restart: %s", got)
	}
}

func TestTargets(t *testing.T) {
	n := newNode(t)
	n.start()
	other := api.PeerID("12D3KooW" + strings.Repeat("x", 44))
	for name, c := range map[api.Name]struct {
		target api.Target
		here   bool
	}{
		"a-role":     {api.Target{Tags: []string{"gpu"}}, true},
		"no-role":    {api.Target{Tags: []string{"web"}}, false},
		"this-peer":  {api.Target{Peers: []api.PeerID{n.self}}, true},
		"other-peer": {api.Target{Peers: []api.PeerID{other}}, false},
	} {
		ref := api.Ref{Kind: api.KindFunction, Name: name}
		n.put(n.sign(ref, n.times(2), c.target, n.owner))
		n.push(double, n.times(2))
		n.awaitState(double, n.prev[double].Seq, api.StateRunning)
		if c.here {
			n.awaitState(ref, 1, api.StateRunning)
		}
		if got := n.call(name, "[1]"); strings.HasPrefix(got, "200") != c.here {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestKilledDaemonLosesNothing(t *testing.T) {
	n := newNode(t)
	n.start()
	n.push(double, n.times(2))
	n.push(worker, n.script(wasmtest.Out("up\n"), wasmtest.Sleep(time.Hour)))
	n.awaitState(double, 1, api.StateRunning)
	n.awaitState(worker, 1, api.StateRunning)
	n.kill()
	facts := n.bucket(api.BucketWorkloads)
	gone := api.Ref{Kind: api.KindFunction, Name: "gone"}
	b, err := json.Marshal(api.WorkloadFact{Ref: gone, Peer: n.self, State: api.StateRunning, Seq: 1})
	n.check(err)
	n.check(facts.Put(t.Context(), api.KeyWorkload(gone, n.self), b))
	n.push(double, n.times(3))
	begun := time.Now()
	n.start()
	n.awaitState(double, 2, api.StateRunning)
	n.awaitState(worker, 1, api.StateRunning)
	t.Logf("all is up %s after the start", time.Since(begun).Round(time.Millisecond))
	if got := n.call("double", "[10]"); got != `200 {"result":30}` {
		t.Error(got)
	}
	n.await(gone, func(f api.WorkloadFact) bool { return f.State == "" })
}

func TestFactsComeBackAfterTheBus(t *testing.T) {
	n := newNode(t)
	n.start()
	n.push(double, n.times(2))
	n.awaitState(double, 1, api.StateRunning)
	n.stopBus()
	n.startBus()
	n.awaitState(double, 1, api.StateRunning)
	n.push(double, n.times(3))
	n.awaitState(double, 2, api.StateRunning)
}

// TestBadProgramsCostOneChild pushes what must hurt nobody, while another program
// answers.
func TestBadProgramsCostOneChild(t *testing.T) {
	n := newNode(t)
	n.start()
	n.push(double, n.times(2))
	n.awaitState(double, 1, api.StateRunning)
	pid := n.cmd.Process.Pid
	good := wasmtest.Functions(wasmtest.Identity("f", wasmtest.I64))
	for name, c := range map[api.Name]struct {
		wasm []byte
		says string
	}{
		"text":      {[]byte("hello, I am no wasm"), "not a WebAssembly file"},
		"truncated": {good[:len(good)-6], "cut short"},
		"component": {wasmtest.Importing("launch"), "function launch"},
		"vector":    {wasmtest.VectorBomb(3), "4294967295 functions"},
		"body":      {wasmtest.Command(0xff), "instruction 0xff is not known"},
		"imports":   {wasmtest.Module{Imports: []wasmtest.Import{{Module: "env", Name: "emscripten_run"}}}.Bytes(), "imports the function"},
		"nothing":   {wasmtest.Functions(), "exports no function"},
		"memory":    {wasmtest.Module{Funcs: []wasmtest.Func{{Export: "f"}}, MinPages: 60_000}.Bytes(), "--memory-max-mb"},
	} {
		ref := api.Ref{Kind: api.KindFunction, Name: name}
		n.push(ref, &api.Function{Module: n.program(c.wasm)})
		f := n.awaitState(ref, 1, api.StateFailed)
		if !strings.Contains(f.Reason, c.says) {
			t.Errorf("%s: %s", name, f.Reason)
		}
		if got := n.call(name, "[1]"); !strings.HasPrefix(got, "503 ") {
			t.Errorf("%s: %s", name, got)
		}
		if got := n.call("double", "[21]"); got != `200 {"result":42}` {
			t.Errorf("after %s: %s", name, got)
		}
	}
	wrongSize := n.times(7)
	wrongSize.Module.Size++
	n.push(double, wrongSize)
	if f := n.awaitState(double, 2, api.StateFailed); f.Serving != 1 || !strings.Contains(f.Reason, "bytes that the intent says") {
		t.Errorf("%+v", f)
	}
	if got := n.call("double", "[21]"); got != `200 {"result":42}` || n.cmd.Process.Pid != pid {
		t.Error(got)
	}
}

func TestCommandAndItsLog(t *testing.T) {
	n := newNode(t)
	n.start()
	lines := make(chan api.LogLine, 100)
	cancel, err := n.conn.Subscribe(api.SubjectLog(worker), func(_ string, b []byte) {
		var l api.LogLine
		if json.Unmarshal(b, &l) == nil {
			lines <- l
		}
	})
	n.check(err)
	defer cancel()
	n.push(worker, n.script(wasmtest.Out("hello\n"), wasmtest.Err("oh\n"), wasmtest.Leave(4)))
	f := n.await(worker, func(f api.WorkloadFact) bool { return f.State == api.StateBackoff && f.Restarts >= 2 })
	if !strings.HasPrefix(f.Reason, "exit code 4") || len(f.Tail) < 2 {
		t.Errorf("%+v", f)
	}
	if l := <-lines; l.Line != "hello" || l.Stream != "stdout" || l.Time.IsZero() {
		t.Errorf("%+v", l)
	}
	if l := <-lines; l.Line != "oh" || l.Stream != "stderr" {
		t.Errorf("%+v", l)
	}
	first, _, _ := strings.Cut(n.log(worker), "\n")
	if stamp, rest, _ := strings.Cut(first, " "); rest != "stdout hello" || !strings.HasSuffix(stamp, "Z") {
		t.Errorf("%q", first)
	}
	n.push(worker, nil)
	n.awaitState(worker, 2, api.StateRemoved)
	if left := n.log(worker); left != "" {
		t.Errorf("left: %s", left)
	}
}

func TestComponentAnswersOnTheSocket(t *testing.T) {
	n := newNode(t)
	n.start()
	web := n.script(wasmtest.Out("Status: 201 Created\nContent-Type: text/plain\n\n"), wasmtest.Copy())
	web.Interface = api.InterfaceCGI
	n.push(worker, web)
	n.awaitState(worker, 1, api.StateRunning)
	resp, body := n.request(http.MethodPost, api.PathComponent("worker")+"/a%20b/?x=1", "the body")
	if resp.StatusCode != http.StatusCreated || body != "the body" {
		t.Error(resp.Status, body)
	}
	for name, c := range map[string]struct {
		steps  []wasmtest.Step
		status int
		says   string
	}{
		"no header": {[]wasmtest.Step{wasmtest.Err("why\n")}, http.StatusBadGateway, "without a header"},
		"exit":      {[]wasmtest.Step{wasmtest.Err("why\n"), wasmtest.Leave(3)}, http.StatusBadGateway, "exit code 3"},
		"deadline":  {[]wasmtest.Step{wasmtest.Err("why\n"), wasmtest.Sleep(time.Hour)}, http.StatusGatewayTimeout, "deadline of 400 ms"},
	} {
		bad := n.script(c.steps...)
		bad.Interface, bad.Module.Limits.EpochMS = api.InterfaceCGI, 400
		n.push(worker, bad)
		n.awaitState(worker, n.prev[worker].Seq, api.StateRunning)
		resp, body := n.request(http.MethodGet, api.PathComponent("worker")+"/", "")
		var reply api.ErrorReply
		n.check(json.Unmarshal([]byte(body), &reply))
		if resp.StatusCode != c.status || !strings.Contains(reply.Error, c.says) || !slices.Contains(reply.Tail, "why") {
			t.Errorf("%s: %s %+v", name, resp.Status, reply)
		}
	}
}

func TestDaemonEndsAtOnceBesideGuests(t *testing.T) {
	n := newNode(t)
	n.start()
	n.push(worker, n.script(wasmtest.Forever()))
	n.awaitState(worker, 1, api.StateRunning)
	if got := n.call("none", "[]"); !strings.HasPrefix(got, "404") { // a tight loop leaves it alone
		t.Error(got)
	}
	begun := time.Now()
	n.stop()
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestUnclaimedNodeFollowsNobody(t *testing.T) {
	n := newNode(t)
	pin, err := os.ReadFile(n.home.Pin())
	n.check(err)
	n.check(os.Remove(n.home.Pin()))
	n.push(double, n.times(2))
	n.start()
	if got := n.call("double", "[1]"); !strings.HasPrefix(got, "404") {
		t.Error(got)
	}
	n.check(os.WriteFile(n.home.Pin(), pin, 0o600))
	n.awaitState(double, 1, api.StateRunning) // without a restart
}

func TestClientThatLeavesFreesItsPlace(t *testing.T) {
	n := newNode(t)
	n.start()
	f := wasmtest.Func{Export: "double", Code: []byte{0x03, 0x40, 0x0c, 0, 0x0b}}
	endless := &api.Function{Module: n.program(wasmtest.Functions(f))}
	endless.Module.Limits.EpochMS = 60_000
	n.push(double, endless)
	n.awaitState(double, 1, api.StateRunning)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	ends := make(chan struct{})
	const callers = 20
	for range callers {
		go func() {
			defer func() { ends <- struct{}{} }()
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://runnerd"+api.PathFunction("double"), strings.NewReader(`{"args":[]}`))
			if err != nil {
				t.Error(err)
				return
			}
			if resp, err := n.client.Do(req); err == nil {
				resp.Body.Close()
			}
		}()
	}
	for range callers {
		<-ends
	}
	n.push(worker, n.script(wasmtest.Sleep(time.Hour)))
	n.awaitState(worker, 1, api.StateRunning)
	quick := api.Ref{Kind: api.KindFunction, Name: "quick"}
	n.push(quick, n.times(2))
	n.awaitState(quick, 1, api.StateRunning)
	if got := n.call("quick", "[21]"); got != `200 {"result":42}` {
		t.Error(got)
	}
	_, body := n.request(http.MethodGet, "/metrics", "")
	scan := bufio.NewScanner(strings.NewReader(body))
	for scan.Scan() {
		if strings.HasPrefix(scan.Text(), "realm_runnerd_calls_total") {
			t.Log(scan.Text())
		}
	}
}
