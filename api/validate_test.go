package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// breaks is a message, changes that make it invalid, and a word of the error that
// each causes.
func breaks[T any, P interface {
	*T
	Validator
}](t *testing.T, changes map[string]func(P)) {
	t.Helper()
	raw := message[T](t)
	for _, text := range slices.Sorted(maps.Keys(changes)) {
		m := P(new(T))
		if err := Decode(raw, len(raw), m); err != nil {
			t.Fatal(err)
		}
		changes[text](m)
		word, _, _ := strings.Cut(text, "|") // what follows tells two changes with one word apart
		if err := m.Validate(); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%T, %s: %v", *m, text, err)
		}
	}
}

func TestValidateIntent(t *testing.T) {
	breaks(t, map[string]func(*Intent){
		"realm id":                     func(i *Intent) { i.Realm = "" },
		"kind \"\"":                    func(i *Intent) { i.Kind = "" },
		"kind \"Function\"":            func(i *Intent) { i.Kind = "Function" },
		"kind \"a.b\"":                 func(i *Intent) { i.Kind = "a.b" },
		"1 to 20 letters":              func(i *Intent) { i.Kind = Kind(strings.Repeat("k", maxKind+1)) },
		"kind lease is not known":      func(i *Intent) { i.Kind = "lease" },
		"name \"\"":                    func(i *Intent) { i.Name = "" },
		"name \"a/b\"":                 func(i *Intent) { i.Name = "a/b" },
		"name \"..\"":                  func(i *Intent) { i.Name = ".." },
		"name \"é\"":                   func(i *Intent) { i.Name = "é" },
		"seq 0":                        func(i *Intent) { i.Seq = 0 },
		"out of range":                 func(i *Intent) { i.Seq = MaxSeq + 1 },
		"prev is missing":              func(i *Intent) { i.Prev = Digest{} },
		"the first intent has a prev":  func(i *Intent) { i.Seq = 1 },
		"issued is missing":            func(i *Intent) { i.Issued = time.Time{} },
		"does not expire":              func(i *Intent) { i.Expires = i.Issued },
		"target: parse peer id":        func(i *Intent) { i.Target.Peers = []PeerID{"me"} },
		"tag":                          func(i *Intent) { i.Target.Tags = []string{"A"} },
		"target: at most":              func(i *Intent) { i.Target.Peers = make([]PeerID, maxTargetPeers+1) },
		"target: at most|tags":         func(i *Intent) { i.Target.Tags = make([]string, maxTags+1) },
		"a tombstone has no body":      func(i *Intent) { i.Tombstone = true },
		"EOF":                          func(i *Intent) { i.Body = nil },
		"blob is missing":              func(i *Intent) { i.Body = json.RawMessage("null") },
		"unknown field \"interface\"":  func(i *Intent) { i.Body = append([]byte(`{"interface":"cgi",`), i.Body[1:]...) },
		"bytes after the message":      func(i *Intent) { i.Body = append(slices.Clone(i.Body), '1') },
		"blob is missing|no component": func(i *Intent) { i.Kind, i.Body = KindComponent, json.RawMessage(`{}`) },
	})
	var tomb Intent
	if err := json.Unmarshal(message[Intent](t), &tomb); err != nil {
		t.Fatal(err)
	}
	tomb.Tombstone, tomb.Body = true, nil
	if err := tomb.Validate(); err != nil {
		t.Errorf("a tombstone: %v", err)
	}
	if _, err := tomb.Workload(); err == nil {
		t.Error("a tombstone has a workload")
	}
	first := tomb
	first.Seq, first.Prev = 1, Digest{}
	if err := first.Validate(); err != nil {
		t.Errorf("a first intent: %v", err)
	}
}

func TestValidateComponent(t *testing.T) {
	breaks(t, map[string]func(*Component){
		"interface":                func(c *Component) { c.Interface = "http" },
		"holds a NUL":              func(c *Component) { c.Args = []string{"a\x00b"} },
		"args: \"a\\xffb\"":        func(c *Component) { c.Args = []string{"a\xffb"} },
		"env \"A\": want text":     func(c *Component) { c.Env = map[string]string{"A": "a\xffb"} },
		"env \"\\xff\": want text": func(c *Component) { c.Env = map[string]string{"\xff": "b"} },
		"want NAME":                func(c *Component) { c.Env = map[string]string{"": "x"} },
		"want NAME|equals":         func(c *Component) { c.Env = map[string]string{"A=B": "x"} },
		"want NAME|NUL":            func(c *Component) { c.Env = map[string]string{"A\x00": "x"} },
		"no NULs":                  func(c *Component) { c.Env = map[string]string{"A": "\x00"} },
		"args and env":             func(c *Component) { c.Args = []string{strings.Repeat("x", maxArgsEnv)} },
		"args and env|env":         func(c *Component) { c.Env = map[string]string{"A": strings.Repeat("x", maxArgsEnv)} },
		"args and env|many":        func(c *Component) { c.Args = make([]string, maxArgsEnv+1) },
		"blob is missing":          func(c *Component) { c.Module.Blob = Digest{} },
		"size 0":                   func(c *Component) { c.Module.Size = 0 },
		"size -1":                  func(c *Component) { c.Module.Size = -1 },
		"size 67108865":            func(c *Component) { c.Module.Size = MaxModule + 1 },
		"memory_max_mb -1":         func(c *Component) { c.Module.Limits.MemoryMaxMB = -1 },
		"memory_max_mb 4097":       func(c *Component) { c.Module.Limits.MemoryMaxMB = MaxMemoryMB + 1 },
		"epoch_ms -1":              func(c *Component) { c.Module.Limits.EpochMS = -1 },
		"epoch_ms 86400001":        func(c *Component) { c.Module.Limits.EpochMS = MaxEpochMS + 1 },
	})
	breaks(t, map[string]func(*Function){"size 0": func(f *Function) { f.Module.Size = 0 }})
}

func TestStarted(t *testing.T) {
	for _, w := range []Workload{&Component{}, &Function{}} {
		if !w.Started() {
			t.Errorf("%T: stopped unless said so", w)
		}
	}
	for _, w := range []Workload{&Component{Stopped: true}, &Function{Stopped: true}} {
		if w.Started() {
			t.Errorf("%T: started although stopped", w)
		}
	}
}

func TestValidateFacts(t *testing.T) {
	breaks(t, map[string]func(*WorkloadFact){
		"kind":             func(f *WorkloadFact) { f.Kind = "" },
		"name":             func(f *WorkloadFact) { f.Name = "A" },
		"parse peer id":    func(f *WorkloadFact) { f.Peer = "" },
		"state":            func(f *WorkloadFact) { f.State = "" },
		"state \"flying\"": func(f *WorkloadFact) { f.State = "flying" },
		"too long":         func(f *WorkloadFact) { f.Reason = strings.Repeat("x", MaxReason+1) },
		"too long|tail":    func(f *WorkloadFact) { f.Tail = make([]string, MaxTail+1) },
		"a tail line":      func(f *WorkloadFact) { f.Tail = []string{strings.Repeat("x", MaxTailLine+1)} },
	})
	breaks(t, map[string]func(*PeerFact){
		"parse peer id":      func(f *PeerFact) { f.Peer = "" },
		"too long|version":   func(f *PeerFact) { f.Version = strings.Repeat("x", maxPeerText+1) },
		"too long|platform":  func(f *PeerFact) { f.Platform = strings.Repeat("x", maxPeerText+1) },
		"too long|host":      func(f *PeerFact) { f.Host = strings.Repeat("x", maxPeerText+1) },
		"too long|addresses": func(f *PeerFact) { f.Addrs = make([]string, maxPeerAddrs+1) },
		"an address":         func(f *PeerFact) { f.Addrs = []string{strings.Repeat("x", maxPeerText+1)} },
		"tag":                func(f *PeerFact) { f.Roles = []string{"no tag"} },
		"tags":               func(f *PeerFact) { f.Roles = make([]string, maxTags+1) },
		"down: daemon":       func(f *PeerFact) { f.Down = DaemonList{Casd, "jobd"} },
		"by name":            func(f *PeerFact) { f.Down = DaemonList{Runnerd, Casd} },
		"twice":              func(f *PeerFact) { f.Down = DaemonList{Casd, Casd} },
	})
	breaks(t, map[string]func(*FactBatch){
		"epoch and seq":        func(b *FactBatch) { b.Epoch = 0 },
		"epoch and seq|before": func(b *FactBatch) { b.Epoch = -1 },
		"epoch and seq|seq":    func(b *FactBatch) { b.Seq = 0 },
		"workloads":            func(b *FactBatch) { b.Workloads = slices.Repeat(b.Workloads, MaxFacts+1) },
		"parse peer id":        func(b *FactBatch) { b.Peer.Peer = "" },
		"state":                func(b *FactBatch) { b.Workloads[0].State = "?" },
	})
	breaks(t, map[string]func(*PeerList){
		"at most":       func(l *PeerList) { l.Peers = make([]PeerFact, MaxPeerList+1) },
		"parse peer id": func(l *PeerList) { l.Peers[0].Peer = "x" },
	})
	breaks(t, map[string]func(*PeerRecord){"parse peer id": func(r *PeerRecord) { r.Peer = "x" }})
	var full FactBatch
	if err := json.Unmarshal(message[FactBatch](t), &full); err != nil {
		t.Fatal(err)
	}
	full.Full, full.Workloads = true, slices.Repeat(full.Workloads, 10*MaxFacts)
	if err := full.Validate(); err != nil {
		t.Errorf("a full batch: %v", err)
	}
}

func TestValidateBlobs(t *testing.T) {
	breaks(t, map[string]func(*BlobInfo){
		"is wrong":      func(b *BlobInfo) { b.SHA256 = Digest{} },
		"is wrong|size": func(b *BlobInfo) { b.Size = -1 },
	})
	breaks(t, map[string]func(*BlobIndex){
		"sha256 or size":           func(b *BlobIndex) { b.SHA256 = Digest{} },
		"a chunk is wrong":         func(b *BlobIndex) { b.Chunks[0].SHA256 = Digest{} },
		"a chunk is wrong|empty":   func(b *BlobIndex) { b.Chunks[0].Size = 0 },
		"a chunk is wrong|less":    func(b *BlobIndex) { b.Chunks[0].Size = -1 },
		"a chunk is wrong|large":   func(b *BlobIndex) { b.Chunks[0].Size, b.Size = MaxChunk+1, MaxChunk+1 },
		"chunks hold 5 bytes":      func(b *BlobIndex) { b.Size = 6 },
		"chunks hold 0 bytes":      func(b *BlobIndex) { b.Chunks = nil },
		"chunks hold 10 bytes":     func(b *BlobIndex) { b.Chunks = append(b.Chunks, b.Chunks[0]) },
		"chunks hold 5 bytes|none": func(b *BlobIndex) { b.Size = 0 },
	})
	empty := BlobIndex{BlobInfo: BlobInfo{SHA256: Sum(nil)}}
	if err := empty.Validate(); err != nil {
		t.Errorf("an empty blob: %v", err)
	}
	breaks(t, map[string]func(*ProvidersRequest){"blob is missing": func(r *ProvidersRequest) { r.Blob = Digest{} }})
	breaks(t, map[string]func(*AnnounceRequest){
		"at most 1024":    func(r *AnnounceRequest) { r.Blobs = slices.Repeat(r.Blobs, 1025) },
		"blob is missing": func(r *AnnounceRequest) { r.Blobs = append(r.Blobs, Digest{}) },
	})
}

// The index of the largest blob that the store takes fits its cap.
func TestLargestIndexFits(t *testing.T) {
	idx := BlobIndex{BlobInfo: BlobInfo{SHA256: someDigest, Size: MaxBlob}, Chunks: slices.Repeat([]BlobInfo{{SHA256: someDigest, Size: MaxBlob / MaxChunks}}, MaxChunks)}
	b, err := json.Marshal(&idx)
	if err != nil {
		t.Fatal(err)
	}
	if err := Decode(b, MaxBlobIndex, &BlobIndex{}); err != nil {
		t.Error(err)
	}
}

func TestValidateRequests(t *testing.T) {
	breaks(t, map[string]func(*Ready){"pid": func(r *Ready) { r.PID = 0 }})
	breaks(t, map[string]func(*RestartRequest){
		"daemon \"launcher\"": func(r *RestartRequest) { r.Daemon = Launcher },
		"daemon \"\"":         func(r *RestartRequest) { r.Daemon = "" },
	})
	breaks(t, map[string]func(*LogLine){"too long": func(l *LogLine) { l.Line = strings.Repeat("x", MaxLogLine+1) }})
	breaks(t, map[string]func(*RunSpec){
		"file or cache":      func(s *RunSpec) { s.File = "" },
		"cache is missing":   func(s *RunSpec) { s.Cache = "" },
		"memory_max_mb 4097": func(s *RunSpec) { s.Limits.MemoryMaxMB = MaxMemoryMB + 1 },
		"guest \"relative\"": func(s *RunSpec) { s.Mounts[0].Guest = "relative" },
	})
	breaks(t, map[string]func(*CallRequest){"65 arguments": func(r *CallRequest) { r.Args = make([]json.RawMessage, MaxArgs+1) }})
	breaks(t, map[string]func(*PeersReply){"peer": func(r *PeersReply) { r.Peers[0].Peer = "?" }})
	breaks(t, map[string]func(*FunctionsReply){"name": func(r *FunctionsReply) { r.Functions[0].Name = "" }})
	breaks(t, map[string]func(*ExecRequest){
		"name is missing": func(r *ExecRequest) { r.Name = "" },
		"not both":        func(r *ExecRequest) { r.Args = []json.RawMessage{r.Arg} },
		"65 arguments":    func(r *ExecRequest) { r.Arg, r.Args = nil, make([]json.RawMessage, MaxArgs+1) },
	})
}

func TestExecCall(t *testing.T) {
	one, two := json.RawMessage("1"), json.RawMessage("2")
	for want, r := range map[string]ExecRequest{
		"[1]":   {Name: "f", Arg: one},
		"[1 2]": {Name: "f", Args: []json.RawMessage{one, two}},
		"[]":    {Name: "f"},
	} {
		if got := fmt.Sprintf("%s", r.Call().Args); got != want {
			t.Errorf("%+v: %s, want %s", r, got, want)
		}
	}
}

func TestTargetMatches(t *testing.T) {
	const other PeerID = "other"
	tests := []struct {
		target Target
		id     PeerID
		roles  []string
		want   bool
	}{
		{Target{}, somePeer, nil, true},
		{Target{Peers: []PeerID{somePeer}}, somePeer, nil, true},
		{Target{Peers: []PeerID{other, somePeer}}, somePeer, nil, true},
		{Target{Peers: []PeerID{other}}, somePeer, nil, false},
		{Target{Tags: []string{"edge"}}, somePeer, nil, false},
		{Target{Tags: []string{"edge", "gpu"}}, somePeer, []string{"gpu"}, true},
		{Target{Peers: []PeerID{somePeer}, Tags: []string{"edge"}}, somePeer, []string{"gpu"}, false},
		{Target{Peers: []PeerID{other}, Tags: []string{"gpu"}}, somePeer, []string{"gpu"}, false},
		{Target{Peers: []PeerID{somePeer}, Tags: []string{"gpu"}}, somePeer, []string{"gpu"}, true},
	}
	for _, tt := range tests {
		if got := tt.target.Matches(tt.id, tt.roles); got != tt.want {
			t.Errorf("%+v for %s with %v: %v", tt.target, tt.id, tt.roles, got)
		}
	}
}

func TestReached(t *testing.T) {
	for s, want := range map[State]bool{StateRunning: true, StateExited: true, StatePending: false, StateStarting: false, StateFailed: false, StateStopped: false} {
		if s.Reached() != want {
			t.Errorf("%s: %v", s, !want)
		}
	}
}
