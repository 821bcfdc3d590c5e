package api

import (
	"crypto/ed25519"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestValidateSync(t *testing.T) {
	breaks(t, map[string]func(*SyncDigests){
		"255 parts":         func(s *SyncDigests) { s.Buckets = s.Buckets[1:] },
		"257 parts":         func(s *SyncDigests) { s.Buckets = append(s.Buckets, Digest{}) },
		"-1 intents":        func(s *SyncDigests) { s.Count = -1 },
		"at most 100000":    func(s *SyncDigests) { s.Count = MaxSync + 1 },
		"0 parts, want 256": func(s *SyncDigests) { s.Buckets = nil },
	})
	breaks(t, map[string]func(*SyncParts){
		"1 to 256":      func(s *SyncParts) { s.Buckets = nil },
		"1 to 256|many": func(s *SyncParts) { s.Buckets = make([]int, SyncBuckets+1) },
		"part -1":       func(s *SyncParts) { s.Buckets[0] = -1 },
		"part 256":      func(s *SyncParts) { s.Buckets[1] = SyncBuckets },
	})
	breaks(t, map[string]func(*SyncEntries){
		"at most":                  func(s *SyncEntries) { s.Entries = make([]SyncEntry, MaxSync+1) },
		"kind":                     func(s *SyncEntries) { s.Entries[0].Kind = "x1" },
		"name \"\"":                func(s *SyncEntries) { s.Entries[0].Name = "" },
		"not that of a key":        func(s *SyncEntries) { s.Entries[0].Signer = "owner" },
		"seq or digest":            func(s *SyncEntries) { s.Entries[0].Seq = 0 },
		"seq or digest|too high":   func(s *SyncEntries) { s.Entries[0].Seq = MaxSeq + 1 },
		"seq or digest|the digest": func(s *SyncEntries) { s.Entries[0].Digest = Digest{} },
	})
	breaks(t, map[string]func(*SyncFetch){
		"1 to 2048":      func(s *SyncFetch) { s.Digests = nil },
		"1 to 2048|many": func(s *SyncFetch) { s.Digests = slices.Repeat(s.Digests, MaxSyncFetch+1) },
		"is missing":     func(s *SyncFetch) { s.Digests[0] = Digest{} },
	})
	breaks(t, map[string]func(*SyncIntents){
		"2049 intents": func(s *SyncIntents) { s.Envelopes = make([]json.RawMessage, MaxSyncFetch+1) },
	})
}

// The entries of a full set, and of the longest names, fit the answer's cap.
func TestEntriesFit(t *testing.T) {
	e := SyncEntry{Ref: Ref{Kind(strings.Repeat("k", maxKind)), Name(strings.Repeat("n", MaxNameLen))}, Signer: someKey, Seq: MaxSeq, Digest: someDigest}
	b, err := json.Marshal(&SyncEntries{Entries: slices.Repeat([]SyncEntry{e}, MaxSync)})
	if err != nil || len(b) > MaxSyncBytes {
		t.Errorf("%d bytes, at most %d (%v)", len(b), MaxSyncBytes, err)
	}
}

func TestKeyName(t *testing.T) {
	pub := ed25519.PublicKey(slices.Repeat([]byte{9}, ed25519.PublicKeySize))
	n := KeyName(pub)
	if _, err := ParseName(string(n)); err != nil || len(n) != 52 {
		t.Errorf("%s: %v", n, err)
	}
	if got, err := ParseKeyName(n); err != nil || !got.Equal(pub) {
		t.Errorf("%s: %v, %v", n, got, err)
	}
	last := n[:len(n)-1]
	for _, bad := range []Name{"", "owner", last, n + "a", last + "\n", last + "b", n + "\n", Name(strings.ToUpper(string(n))), last + "1"} {
		if got, err := ParseKeyName(bad); err == nil {
			t.Errorf("%q is the key %x", bad, got)
		}
	}
}

// The names of intents: of the signer and what was signed, and of who has let a node
// in. No two that differ in any of it are the same.
func TestDigestsOfIntents(t *testing.T) {
	a, b := ed25519.PublicKey(make([]byte, 32)), ed25519.PublicKey(slices.Repeat([]byte{1}, 32))
	// printf 'realm-intent-v1\0'; head -c 32 /dev/zero; printf x: of all that, sha256sum
	const want = "8fbf1531db37fd88f36108c1aff13b1fa1edd4a9033d12f431bed01dd662f2c7"
	seen := map[Digest]bool{}
	for _, k := range []ed25519.PublicKey{a, b} {
		for _, payload := range []string{"", "x", "xy"} {
			d := IntentDigest(k, []byte(payload))
			seen[d] = true
			for _, w := range []ed25519.PublicKey{a, b} {
				seen[WitnessedDigest(d, w, []byte(payload))] = true
				seen[WitnessedDigest(d, w, []byte("at"))] = true
			}
		}
	}
	if len(seen) != 2*3*5 {
		t.Errorf("%d different digests, want 30", len(seen))
	}
	if got := IntentDigest(a, []byte("x")).String(); got != want {
		t.Errorf("%s", got)
	}
}

func TestRotationProof(t *testing.T) {
	a, b := ed25519.PublicKey(make([]byte, 32)), ed25519.PublicKey(slices.Repeat([]byte{1}, 32))
	seen := map[string]bool{}
	for _, r := range []RealmID{someRealm, NewRealmID(a)} {
		for seq := range uint64(12) {
			for _, old := range []ed25519.PublicKey{a, b} {
				seen[string(RotationProof(r, seq, old))] = true
			}
		}
	}
	if len(seen) != 2*12*2 {
		t.Errorf("%d different proofs, want 48", len(seen))
	}
	const want = "realm-rotation-v1\x00abcdefghijklmnopqrstuvwxyz234567\x003\x00" + "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	if got := RotationProof(someRealm, 3, a); string(got) != want {
		t.Errorf("%q", got)
	}
}

func TestValidateBodiesAboutKeys(t *testing.T) {
	breaks(t, map[string]func(*Rotation){
		"not that of a key": func(r *Rotation) { r.Key = "owner" },
		"proof is missing":  func(r *Rotation) { r.Proof = r.Proof[1:] },
	})
	breaks(t, map[string]func(*Grant){
		"may: want some":      func(g *Grant) { g.May = nil },
		"may: want some|many": func(g *Grant) { g.May = append(Rights(), RightPush) },
		"may \"rotate\"":      func(g *Grant) { g.May = []Right{"rotate"} },
		"prefix":              func(g *Grant) { g.Prefix = "A" },
		"tag":                 func(g *Grant) { g.Tags = []string{"no tag"} },
		"since is missing":    func(g *Grant) { g.Since = time.Time{} },
		"before it begins":    func(g *Grant) { g.Expires = g.Since },
		"comment":             func(g *Grant) { g.Comment = strings.Repeat("x", MaxComment+1) },
	})
	breaks(t, map[string]func(*Invite){
		"expires is missing": func(i *Invite) { i.Expires = time.Time{} },
		"uses -1":            func(i *Invite) { i.Uses = -1 },
		"uses 10001":         func(i *Invite) { i.Uses = MaxUses + 1 },
		"comment":            func(i *Invite) { i.Comment = strings.Repeat("x", MaxComment+1) },
		"tag":                func(i *Invite) { i.Roles = []string{""} },
	})
	breaks(t, map[string]func(*Settled){
		"names -1":     func(s *Settled) { s.Names = -1 },
		"names 100001": func(s *Settled) { s.Names = MaxSync + 1 },
	})
	breaks(t, map[string]func(*Membership){"tag": func(m *Membership) { m.Roles = []string{"a b"} }})
	breaks(t, map[string]func(*Witness){
		"realm id":             func(w *Witness) { w.Realm = "" },
		"member or at":         func(w *Witness) { w.Member = Digest{} },
		"member or at|no time": func(w *Witness) { w.At = time.Time{} },
	})
	breaks(t, map[string]func(*Proof){
		"realm id":   func(p *Proof) { p.Realm = "x" },
		"17 intents": func(p *Proof) { p.Intents = make([][]byte, MaxProofIntents+1) },
	})
}

// Intents about keys: the name, the body, and what may be taken back.
func TestValidateIntentsAboutKeys(t *testing.T) {
	at := time.Unix(0, 0).UTC()
	bodies := map[Kind]string{
		KindRotate: string(message[Rotation](t)), KindSettle: "{}", KindGrant: string(message[Grant](t)),
		KindInvite: string(message[Invite](t)), KindMember: string(message[Membership](t)), KindNode: string(message[NodeSettings](t)),
	}
	for kind, body := range bodies {
		name, wrong := someKey, NameOwner
		if kind == KindRotate || kind == KindSettle {
			name, wrong = wrong, name
		}
		in := Intent{Realm: someRealm, Ref: Ref{kind, name}, Seq: 1, Issued: at, Body: json.RawMessage(body)}
		if err := in.Validate(); err != nil {
			t.Errorf("%s: %v", in.Ref, err)
		}
		if w, err := in.Workload(); err == nil {
			t.Errorf("%s is the program %v", in.Ref, w)
		}
		for text, change := range map[string]func(*Intent){
			"key":                         func(i *Intent) { i.Name = wrong },
			"EOF":                         func(i *Intent) { i.Body = nil },
			"unknown field":               func(i *Intent) { i.Body = json.RawMessage(`{"x":1}`) },
			"does not expire":             func(i *Intent) { i.Expires = at },
			"too large":                   func(i *Intent) { i.Body = slices.Repeat([]byte(" "), maxTrustBody+1) },
			"the first intent has a prev": func(i *Intent) { i.Prev = someDigest },
			"prev is missing":             func(i *Intent) { i.Seq = 2 },
			"bytes after the message":     func(i *Intent) { i.Body = json.RawMessage(body + "1") },
			"cannot unmarshal array into": func(i *Intent) { i.Body = json.RawMessage("[]") },
			"has no target":               func(i *Intent) { i.Target.Peers = []PeerID{somePeer} },
		} {
			bad := in
			change(&bad)
			if text == "key" && wrong != NameOwner {
				text = "always owner"
			}
			if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s, %s: %v", in.Ref, text, err)
			}
		}
		end := in
		end.Tombstone, end.Body = true, nil
		final := kind == KindRotate || kind == KindSettle
		if err := end.Validate(); (err != nil) != final {
			t.Errorf("a tombstone of %s: %v", in.Ref, err)
		}
	}
}

// Whoever does not know a kind can still order, keep and pass it on.
func TestHeaderOfAnUnknownKind(t *testing.T) {
	at := time.Unix(0, 0).UTC()
	in := Intent{Realm: someRealm, Ref: Ref{"lease", "x"}, Seq: 1, Issued: at, Expires: at, Body: json.RawMessage(`{"anything":[1]}`)}
	if err := in.ValidateHeader(); err != nil {
		t.Error(err)
	}
	if err := in.Validate(); err == nil {
		t.Error("it is known")
	}
	if w, err := in.Workload(); err == nil {
		t.Errorf("it is the program %v", w)
	}
}

func TestKinds(t *testing.T) {
	for _, tt := range []struct {
		kind                   Kind
		workload, trust, known bool
		right                  Right
	}{
		{KindComponent, true, false, true, RightPush},
		{KindFunction, true, false, true, RightPush},
		{KindRotate, false, true, true, ""},
		{KindSettle, false, true, true, ""},
		{KindGrant, false, true, true, ""},
		{KindInvite, false, true, true, ""},
		{KindMember, false, true, true, ""},
		{KindJob, false, false, true, RightJob},
		{"cancel", false, false, false, ""},
		{"upgrade", false, false, false, ""},
		{"", false, false, false, ""},
	} {
		k := tt.kind
		if k.Workload() != tt.workload || k.Trust() != tt.trust || k.Known() != tt.known || k.Right() != tt.right {
			t.Errorf("%q: workload %v, trust %v, known %v, right %q", k, k.Workload(), k.Trust(), k.Known(), k.Right())
		}
	}
}

func TestValidateMembers(t *testing.T) {
	breaks(t, map[string]func(*MembersReply){
		"at most 256":         func(r *MembersReply) { r.Members = make([]Member, MaxMembers+1) },
		"at most 256|invites": func(r *MembersReply) { r.Invites = make([]InviteStatus, MaxMembers+1) },
		"at most 256|grants":  func(r *MembersReply) { r.Grants = make([]GrantStatus, MaxMembers+1) },
		"invite: name \"\"":   func(r *MembersReply) { r.Invites[0].Key = "" },
		"grant: name \"x\"":   func(r *MembersReply) { r.Grants[0].Key = "x" },
	})
	breaks(t, map[string]func(*HistoryReply){
		"realm id":  func(r *HistoryReply) { r.Versions[0].Realm = "" },
		"name \"\"": func(r *HistoryReply) { r.Versions[0].Signer = "" },
	})
	breaks(t, map[string]func(*HistoryRequest){
		"kind":       func(r *HistoryRequest) { r.Kind = "" },
		"name \"A\"": func(r *HistoryRequest) { r.Name = "A" },
	})
	breaks(t, map[string]func(*EnrollRequest){"join is missing": func(r *EnrollRequest) { r.Join = nil }})
	breaks(t, map[string]func(*EnrollReply){
		"257 peers":     func(r *EnrollReply) { r.Peers = make([]PeerFact, MaxPeerList+1) },
		"parse peer id": func(r *EnrollReply) { r.Peers[0].Peer = "" },
		"realm id":      func(r *EnrollReply) { r.Proof.Realm = "" },
	})
	breaks(t, map[string]func(*ClaimRequest){
		"code is missing":       func(r *ClaimRequest) { r.Code = "" },
		"code is missing|long":  func(r *ClaimRequest) { r.Code = strings.Repeat("x", MaxCode+1) },
		"owner":                 func(r *ClaimRequest) { r.Owner = "owner" },
		"another realm":         func(r *ClaimRequest) { r.Realm = RealmID(strings.Repeat("z", 32)) },
		"realm id":              func(r *ClaimRequest) { r.Realm, r.Proof.Realm = "", "" },
		"at most 256 addresses": func(r *ClaimRequest) { r.Addrs = make([]string, MaxPeerList+1) },
		"address is too long":   func(r *ClaimRequest) { r.Addrs[0] = strings.Repeat("x", maxPeerText+1) },
	})
	breaks(t, map[string]func(*ClaimNode){
		"addr is missing":      func(r *ClaimNode) { r.Addr = "" },
		"addr is missing|long": func(r *ClaimNode) { r.Addr = strings.Repeat("x", maxPeerText+1) },
		"code is missing":      func(r *ClaimNode) { r.Code = "" },
	})
}
