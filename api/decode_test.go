package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// messages are one valid message of each type, as pointers.
func messages() []Validator {
	ref := someRef
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	program := Program{Blob: someDigest, Size: 1000, Limits: Limits{MemoryMaxMB: 64, Fuel: 7, EpochMS: 5000}}
	body, _ := json.Marshal(&Function{Module: program}) // plain data: cannot fail
	capacity := Capacity{CPUs: 4, MemoryMB: 8192}
	peer := PeerFact{Capacity: capacity, Peer: somePeer, Version: "v1.0.0", Platform: "linux/amd64", Host: "box", Roles: []string{"edge"}, Addrs: []string{"/ip4/10.0.0.1/tcp/4001"}, Down: DaemonList{Casd, Runnerd}, Full: true, Holdings: [][]byte{[]byte("{}")}}
	fact := WorkloadFact{Ref: someRef, Peer: somePeer, Intent: someDigest, Seq: 2, State: StateStarting, Since: at, Restarts: 1, Serving: 1}
	mount := Mount{Host: "/srv/data", Guest: "/data", RO: true}
	state := Mount{Kind: MountState, Guest: "/state", Volume: "cart", SizeMB: 5, Files: &BlobInfo{SHA256: someDigest, Size: 5}}
	uses := SecretUse{Name: "db", Env: "DB"}
	held := HeldVolume{Volume: "cart", User: "shop", Epoch: 2}
	health := Health{Path: "/ready", Interval: Duration(5 * time.Second), Timeout: Duration(time.Second), Failures: 2, Alive: Duration(time.Second)}
	renew := Update{Order: StopFirst, MaxUnavailable: "50%", Deadline: Duration(time.Minute)}
	route := Route{Host: "www.example", Path: "/shop"}
	source := Source{Manifest: "shop", Version: 3}
	line := LogLine{Time: at, Stream: "stdout", Line: "hello"}
	blob := BlobInfo{SHA256: someDigest, Size: 5}
	proof := Proof{Realm: someRealm, Intents: [][]byte{[]byte("{}")}}
	invite := Invite{Roles: []string{"edge"}, Expires: at, Uses: 3, Comment: "for the lab"}
	grant := Grant{May: []Right{RightPush}, Prefix: "ci-", Tags: []string{"edge"}, Since: at, Expires: at.Add(time.Hour), Comment: "CI"}
	member := Member{Peer: somePeer, Standing: StandingMember, By: "owner", Since: at}
	claim := ClaimRequest{Code: "ABCDE-FGHJK", Realm: someRealm, Owner: someKey, Proof: proof, Addrs: []string{"/ip4/10.0.0.1/tcp/4001/p2p/x"}}
	intent := Intent{Realm: someRealm, Ref: someRef, Seq: 2, Prev: someDigest, Issued: at, Target: Target{Peers: []PeerID{somePeer}, Tags: []string{"edge"}}, Body: body}
	target := Target{Peers: []PeerID{somePeer}, Tags: []string{"edge"}}
	return []Validator{
		&Empty{},
		&Ready{Daemon: Casd, PID: 7, Version: "v1.0.0", Note: "9 blobs"},
		&PSReply{Home: "/home", PID: 6, Daemons: []DaemonStatus{{Daemon: Casd, State: DaemonReady, PID: 7, Since: at}}},
		&RestartRequest{Daemon: Runnerd},
		&SubmitReply{Digest: someDigest},
		&MeshStatus{Peer: somePeer, Realm: someRealm, Owner: "ed25519:x", Addrs: []string{"/ip4/10.0.0.1/tcp/4001"}, Peers: 2},
		&ProvidersRequest{Blob: someDigest},
		&ProvidersReply{Peers: []PeerID{somePeer}},
		&AnnounceRequest{Blobs: []Digest{someDigest}, Full: true},
		&line,
		&Notice{ID: "a-1", Time: at, Type: NoticeWorkload, Workload: &Event{Ref: someRef, Time: at, Peer: somePeer, Seq: 2, From: StateFetching, To: StateRunning}},
		&Notice{ID: "a-2", Time: at, Type: NoticeMember, Member: &MemberNotice{Peer: somePeer, Host: "box", Change: MemberLost}},
		&Notice{ID: "a-3", Time: at, Type: NoticeJob, Job: &JobNotice{Exec: Exec{Root: someDigest, Run: "0", Epoch: 1, Peer: somePeer}, Job: "build", To: ExecRunning}},
		&SubmitBatch{Envelopes: [][]byte{[]byte("{}"), []byte("{}")}},
		&SubmitBatchReply{Digests: []Digest{someDigest}},
		&ExplainRequest{Ref: someRef},
		&ExplainReply{
			Ref: someRef, Seq: 2, Intent: someDigest, Replicas: 3, Desired: 1, Running: 1, Updated: 1, Pending: "1 member fits",
			Members: []Ranked{{Peer: somePeer, Host: "box", Live: true, Rank: 1, Duty: DutyRun, Why: "it is number 1", Fact: &fact}},
		},
		&Account{Fact: &fact, Duty: DutyHold, Why: "others first", Log: []LogLine{line}},
		&Event{Ref: someRef, Time: at, Peer: somePeer, Seq: 2, From: StateStarting, To: StateFailed, Reason: "it ended"},
		&blob,
		&BlobIndex{BlobInfo: blob, Chunks: []BlobInfo{blob}},
		&Reference{Blob: someDigest, Size: 5, Ref: someRef, Seq: 2, Current: true},
		&Have{Index: someDigest, Chunks: 9, Has: []byte{0xff, 1}, Got: []int{1}, Busy: []int{2}, Idle: []int{3}, Whole: true},
		&ChunksRequest{Blob: someDigest, Chunks: []Digest{someDigest}},
		&BlobRecord{BlobInfo: blob, Has: 4, Damaged: true, Added: at, Used: at, Pinned: true, Keeper: true, Refs: []Ref{someRef}, Copies: 3},
		&BlobCopies{BlobInfo: blob, Needed: true, Want: 3, Keepers: []PeerID{somePeer}, Have: []PeerID{somePeer}, Away: []PeerID{somePeer}},
		&StorageStatus{Dir: "/home/cas", Blobs: 2, Chunks: 3, Logical: 10, Stored: 9, Quota: 100, DiskFree: 50, Needed: 5, Cached: 4, Full: true, ScrubbedAt: at},
		&CollectRequest{Free: 1 << 20, DryRun: true},
		&CollectReply{Freed: 5, Blobs: []BlobInfo{blob}, More: 1},
		&VerifyProgress{Done: 1, Total: 2, Damaged: []Digest{someDigest}, Mended: []Digest{someDigest}, Lost: []Digest{someDigest}, End: true, Error: "the disk is gone"},
		&ImportRequest{Size: 5},
		&ExportRequest{Blob: someDigest, At: 3},
		&FileProgress{Done: 5, End: true, Blob: blob, New: 4, Status: 500, Error: "the disk is gone"},
		&TransfersReply{Transfers: []Transfer{{
			BlobInfo: blob, Done: 4, Began: at, Rate: 1e6,
			Sources: []TransferSource{{Peer: somePeer, Bytes: 4, Rate: 1e6, State: "slow", Why: "others are faster"}},
		}}},
		&RunSpec{File: "/tmp/a.wasm", Cache: "/tmp/cache", Args: []string{"x"}, Env: map[string]string{"A": "b"}, Mounts: []Mount{mount}, Limits: Limits{Fuel: 7}, Invoke: "f", Stats: true},
		&CallRequest{Args: []json.RawMessage{json.RawMessage(`7`), json.RawMessage(`"NaN"`)}},
		&CallReply{Result: json.RawMessage(`14`)},
		&ExecRequest{Name: "double", Arg: json.RawMessage(`7`)},
		&PeersReply{Peers: []PeerStatus{{Peer: somePeer, Self: true, Live: true, RTT: Duration(time.Millisecond), Host: "host", Platform: "linux/amd64", Version: "v1", Roles: []string{"edge"}}}},
		&FunctionsReply{Functions: []FunctionStatus{{Name: "double", Peers: []PeerID{somePeer}, Others: map[State]int{StatePending: 1}}}},
		&ErrorReply{Error: "no", Tail: []string{"last words"}},
		&SyncDigests{Count: 2, Buckets: slices.Repeat([]Digest{{}, someDigest}, SyncBuckets/2), Now: at},
		&SyncParts{Buckets: []int{0, SyncBuckets - 1}},
		&SyncEntries{Entries: []SyncEntry{{Ref: someRef, Signer: someKey, Seq: 2, Digest: someDigest}}},
		&SyncFetch{Digests: []Digest{someDigest}},
		&SyncIntents{Envelopes: []json.RawMessage{json.RawMessage(`{"payload":""}`)}},
		&fact,
		&peer,
		&capacity,
		&FactBatch{Epoch: 1, Seq: 2, Peer: &peer, Workloads: []WorkloadFact{fact}},
		&PeerList{Peers: []PeerFact{peer}},
		&PeerRecord{PeerFact: peer, Connected: true, Drained: true, RTT: Duration(1500 * time.Microsecond), Since: at},
		&intent,
		&ref,
		&target,
		&program.Limits,
		&program,
		&mount,
		&health,
		&renew,
		&route,
		&source,
		&Component{
			Module: program, Interface: InterfaceCGI, Args: []string{"-v"}, Env: map[string]string{"A": "b"}, Stopped: true,
			Replicas: 3, Mounts: []Mount{mount, state}, Secrets: []SecretUse{uses, {Name: "tls", File: "/run/secrets/key"}}, Ports: []Port{{Name: "http", Port: 8080, Protocol: "http"}}, Visibility: VisibilityPublic,
			AllowHosts: []string{"db.example:5432"}, Health: &health, Update: &renew, Restart: RestartAlways, Route: &route, Source: source, Restarted: at,
		},
		&Manifest{Version: 3, Components: []ManifestComponent{{Name: "api", Intent: someDigest}, {Name: "web", Intent: someDigest}}},
		&Pin{blob},
		&uses,
		&Secret{Recipient: "age1xyz", Data: []byte("age"), Keys: []SecretKey{{Peer: somePeer, Sealed: []byte("age")}}, Bytes: 7},
		&SecretAsk{Name: "db", Intent: someDigest}, &SecretGiven{Sealed: []byte("age")},
		&Volume{Since: 2, Copies: []VolumeCopy{{Peer: somePeer, Since: 3, Cleared: 2, Files: &blob}}, Cleared: 1},
		&Holdings{Realm: someRealm, Peer: somePeer, Seq: 3, Volumes: []HeldVolume{held}}, &TellHoldings{Statements: [][]byte{[]byte("{}")}},
		&VolumesReply{Volumes: []VolumeInfo{{HeldVolume: held, Limit: 100, Used: 7, Files: 1, Created: at, Seed: someDigest, InUse: true, Void: true}}},
		&VolumeFiles{Files: []VolumeFile{{Path: "a/b", Kind: "file", Size: 7, Time: at}}, More: true},
		&VolumeRead{Realm: someRealm, Volume: "cart", Peer: somePeer, Issued: at, Expires: at.Add(time.Minute)},
		someJob(), someRecord(), &JobClaims{Claims: []JobClaim{someClaim()}}, &JobTake{Runs: []JobClaim{someClaim()}},
		&JobVote{JobClaim: someClaim(), Round: 3}, &JobVoted{Peer: somePeer},
		&JobTail{Job: "build-1", Exec: someRecord().Exec(), Lines: []LogLine{line}, Over: true},
		&RecordBatch{Records: [][]byte{[]byte("{}")}, More: true}, &RecordParts{Digests: make([]byte, RecordDigests), After: "x"},
		someSummaries(), &someStatus().JobSummary, someStatus(), &JobLogLine{Run: "0", Epoch: 1, Peer: somePeer, LogLine: line}, &JobExplain{Job: "build-1", Needs: []JobNeed{{Job: "lib-3"}}, Members: []JobMember{{Peer: somePeer}}},
		&JobAnswers{Answers: []JobAnswer{{Records: [][]byte{[]byte("{}")}, Live: somePeer}}}, &JobTaken{Runs: []JobClaim{someClaim()}},
		&Powers{Native: true, Emulates: []string{"arm64", "s390x"}},
		&NodeSettings{Drain: true, Roles: []string{"edge"}},
		&Function{Module: program},
		&Rotation{Key: someKey, Proof: bytes.Repeat([]byte{1}, 64)},
		&Settled{Names: 3},
		&grant,
		&invite,
		&Membership{Roles: []string{"edge"}, Expires: at},
		&Witness{Realm: someRealm, Member: someDigest, At: at},
		&proof,
		&MembersRequest{After: somePeer},
		&MembersReply{
			Members: []Member{member}, More: true,
			Invites: []InviteStatus{{Key: someKey, Invite: invite, Used: 1, Revoked: true}}, Grants: []GrantStatus{{Key: someKey, Grant: grant, Names: 4}},
		},
		&HistoryRequest{Ref: someRef},
		&HistoryReply{Versions: []Version{{Intent: intent, Digest: someDigest, Signer: someKey, By: "owner", State: VersionCurrent}}},
		&EnrollRequest{Join: []byte("{}")},
		&EnrollReply{Proof: proof, Peers: []PeerFact{peer}},
		&claim,
		&ClaimNode{Addr: "/ip4/10.0.0.2/tcp/4001/p2p/x", ClaimRequest: claim},
	}
}

// message returns the valid message of v's type as JSON.
func message[T any](t testing.TB) []byte {
	t.Helper()
	for _, m := range messages() {
		if _, ok := any(m).(*T); ok {
			b, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
	}
	t.Fatalf("no message %T", *new(T))
	return nil
}

// Every type of the package that has a Validate method is in the table, so that
// the tests and the fuzzing below speak of all.
func TestTableHasAllMessages(t *testing.T) {
	known := map[string]bool{"Validator": true, "Kind": true, "State": true, "Duty": true, "Interface": true, "Visibility": true, "RestartPolicy": true} // words, not messages
	for _, m := range messages() {
		known[reflect.TypeOf(m).Elem().Name()] = true
	}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv == nil || fn.Name.Name != "Validate" {
				continue
			}
			recv := fn.Recv.List[0].Type
			if p, ok := recv.(*ast.StarExpr); ok {
				recv = p.X
			}
			if name := recv.(*ast.Ident).Name; !known[name] {
				t.Errorf("%s has a message %s, the table has not", f.Name(), name)
			}
		}
	}
}

func TestMessagesSurviveTheWire(t *testing.T) {
	for _, m := range messages() {
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		again := fresh(m)
		if err := Decode(b, len(b), again); err != nil {
			t.Errorf("%s: %v", b, err)
			continue
		}
		if !reflect.DeepEqual(m, again) {
			t.Errorf("%s: sent %+v, got %+v", b, m, again)
		}
	}
}

// fresh returns a new, empty message of m's type.
func fresh(m Validator) Validator {
	return reflect.New(reflect.TypeOf(m).Elem()).Interface().(Validator)
}

// Decode takes exactly one message and nothing else, whatever its type.
func TestDecodeIsStrict(t *testing.T) {
	for _, m := range messages() {
		good, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		for name, bad := range map[string][]byte{
			"nothing":       nil,
			"blanks":        []byte(" \n"),
			"cut":           good[:len(good)-1],
			"two":           slices.Concat(good, good),
			"bytes after":   slices.Concat(good, []byte("x")),
			"bracket after": slices.Concat(good, []byte("]")),
			"NUL after":     slices.Concat(good, []byte{0}),
			"unknown field": slices.Concat([]byte(`{"no-such-field":1`), comma(good)),
			"an array":      []byte("[]"),
			"a string":      []byte(`"x"`),
			"a number":      []byte("1"),
		} {
			if err := Decode(bad, 1<<20, fresh(m)); err == nil {
				t.Errorf("%T: %s was taken: %s", m, name, bad)
			}
		}
		if err := Decode(slices.Concat([]byte("\n "), good, []byte(" \n")), 1<<20, fresh(m)); err != nil {
			t.Errorf("%T with blanks around it: %v", m, err)
		}
		if err := Decode(good, len(good)-1, fresh(m)); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%T over its cap: %v", m, err)
		}
	}
}

// comma turns {"a":1} into ,"a":1} and {} into }.
func comma(object []byte) []byte {
	if len(object) == 2 {
		return []byte("}")
	}
	return append([]byte(","), object[1:]...)
}

func TestDecodeValidates(t *testing.T) {
	err := Decode([]byte(`{"pid":0}`), 100, &Ready{})
	if err == nil || !strings.Contains(err.Error(), "decode *api.Ready: ready: pid is missing") {
		t.Errorf("%v", err)
	}
	if err := Decode([]byte("null"), 100, &Ready{}); err == nil {
		t.Error("null was taken for a message")
	}
}

func TestReadAll(t *testing.T) {
	for _, tt := range []struct {
		n, limit int
		large    bool
	}{{0, 0, false}, {5, 5, false}, {6, 5, true}, {1, 0, true}, {5, 1 << 20, false}} {
		b, err := ReadAll(iotest.OneByteReader(bytes.NewReader(make([]byte, tt.n))), int64(tt.limit))
		if errors.Is(err, ErrTooLarge) != tt.large || !tt.large && (err != nil || len(b) != tt.n) {
			t.Errorf("%d bytes, limit %d: %d, %v", tt.n, tt.limit, len(b), err)
		}
	}
	if _, err := ReadAll(iotest.ErrReader(io.ErrClosedPipe), 10); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a reader that fails: %v", err)
	}
}

// fuzzLimit is what the fuzzed messages may have; re-encoding can make them longer.
const fuzzLimit = 64 << 10

// FuzzDecode feeds bytes to the decoder of every message. What it takes is valid
// and means the same after another trip over the wire.
func FuzzDecode(f *testing.F) {
	for i, m := range messages() {
		b, err := json.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), b)
		f.Add(uint8(i), []byte("null"))
		f.Add(uint8(i), []byte("{}"))
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		all := messages()
		m := fresh(all[int(which)%len(all)])
		if err := Decode(b, fuzzLimit, m); err != nil {
			return
		}
		if len(b) > fuzzLimit {
			t.Fatalf("%T: took %d bytes", m, len(b))
		}
		if err := m.Validate(); err != nil {
			t.Fatalf("%T: decoded, yet not valid: %v", m, err)
		}
		sent, err := json.Marshal(m)
		if err != nil {
			t.Fatalf("%T: cannot be sent on: %v", m, err)
		}
		again := fresh(m)
		if err := Decode(sent, 8*fuzzLimit, again); err != nil {
			t.Fatalf("%T: %s: %v", m, sent, err)
		}
		if resent, err := json.Marshal(again); err != nil || !bytes.Equal(sent, resent) {
			t.Fatalf("%T: %s became %s (%v)", m, sent, resent, err)
		}
	})
}

// FuzzIntent looks closer at the message that carries authority.
func FuzzIntent(f *testing.F) {
	f.Add(message[Intent](f))
	for _, m := range messages() {
		kind, ok := map[reflect.Type]Kind{
			reflect.TypeFor[*Rotation](): KindRotate, reflect.TypeFor[*Settled](): KindSettle, reflect.TypeFor[*Grant](): KindGrant,
			reflect.TypeFor[*Invite](): KindInvite, reflect.TypeFor[*Membership](): KindMember,
			reflect.TypeFor[*Component](): KindComponent, reflect.TypeFor[*Manifest](): KindManifest, reflect.TypeFor[*NodeSettings](): KindNode,
			reflect.TypeFor[*Job](): KindJob,
		}[reflect.TypeOf(m)]
		if !ok {
			continue
		}
		body, err := json.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		in := Intent{Realm: someRealm, Ref: Ref{kind, someKey}, Seq: 1, Issued: time.Unix(0, 0).UTC(), Body: body}
		if kind == KindRotate || kind == KindSettle {
			in.Name = NameOwner
		}
		if kind == KindJob {
			in.Expires = in.Issued.Add(time.Hour)
		}
		b, err := json.Marshal(in)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	far := Component{Module: Program{Blob: someDigest, Size: 1}, Restarted: time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3600))}
	body, err := json.Marshal(&far)
	if err != nil {
		f.Fatal(err)
	}
	in, err := json.Marshal(Intent{Realm: someRealm, Ref: Ref{KindComponent, "web"}, Seq: 1, Issued: time.Unix(0, 0).UTC(), Body: body})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(in)
	f.Add(bytes.Replace(message[Intent](f), []byte(`"body":{`), []byte(`"tombstone":true,"x":{`), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		var in Intent
		if Decode(b, MaxEnvelope, &in) != nil {
			return
		}
		if r, p, ok := ParseKeyWorkload(KeyWorkload(in.Ref, somePeer)); !ok || r != in.Ref || p != somePeer {
			t.Fatalf("%s does not survive as a key", in.Ref)
		}
		if s := KeySlot(in.Ref, someKey); len(s) > 256 || !strings.HasPrefix(s, KeyIntent(in.Ref)+".") {
			t.Fatalf("key of a slot: %s", s)
		}
		w, err := in.Workload()
		if in.Tombstone || !in.Kind.Workload() {
			if err == nil {
				t.Fatal("a program, of something that is none")
			}
			return
		}
		if err != nil {
			t.Fatalf("valid, yet its body is not: %v", err)
		}
		if again, err := in.Workload(); err != nil || again.Instance() != w.Instance() {
			t.Fatalf("read again it is another instance (%v)", err)
		}
		if p := w.Program(); p.Validate() != nil || p.Size > MaxModule || p.Limits.MemoryMaxMB > MaxMemoryMB {
			t.Fatalf("program %+v", p)
		}
	})
}
