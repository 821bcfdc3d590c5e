package runnerd

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

func keyName(k ed25519.PrivateKey) api.Name { return api.KeyName(keys.PublicOf(k).Key()) }

// sign makes the next version of a workload by key; a nil workload is a tombstone.
func (n *node) sign(ref api.Ref, w api.Workload, target api.Target, key ed25519.PrivateKey) intent.Signed {
	n.Helper()
	var body any
	if w != nil {
		body = w
	}
	return n.signNext(ref, body, target, key)
}

// signBody makes the next version of what is no workload; a nil body is a tombstone.
func (n *node) signBody(ref api.Ref, body any, key ed25519.PrivateKey) intent.Signed {
	n.Helper()
	return n.signNext(ref, body, api.Target{}, key)
}

func (n *node) signNext(ref api.Ref, body any, target api.Target, key ed25519.PrivateKey) intent.Signed {
	n.Helper()
	in := n.next(ref)
	in.Target, in.Tombstone = target, body == nil
	if body != nil {
		b, err := json.Marshal(body)
		n.check(err)
		in.Body = b
	}
	s, err := intent.Sign(in, key)
	n.check(err)
	return s
}

func (n *node) next(ref api.Ref) api.Intent {
	last := n.prev[ref]
	return api.Intent{Realm: api.NewRealmID(keys.PublicOf(n.owner).Key()), Ref: ref, Seq: last.Seq + 1, Prev: last.Digest, Issued: time.Now()}
}

// signUnknown is what a newer version of Realm has signed: a body that this one cannot read.
func (n *node) signUnknown(ref api.Ref, body string) intent.Signed {
	n.Helper()
	in := n.next(ref)
	in.Body = json.RawMessage(body)
	payload, err := json.Marshal(in)
	n.check(err)
	text := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(api.PayloadIntent), api.PayloadIntent, len(payload), payload)
	envelope, err := json.Marshal(map[string]any{"payloadType": api.PayloadIntent, "payload": payload,
		"signatures": []any{map[string]any{"keyid": keys.PublicOf(n.owner).String(), "sig": ed25519.Sign(n.owner, text)}}})
	n.check(err)
	s, err := intent.Read(envelope)
	n.check(err)
	return s
}

// put is meshd accepting an intent.
func (n *node) put(s intent.Signed) {
	n.Helper()
	n.prev[s.Ref] = s
	n.check(n.bucket(api.BucketIntents).Put(n.Context(), s.Slot().Key(), s.Envelope))
}

func (n *node) push(ref api.Ref, w api.Workload) {
	n.Helper()
	n.put(n.sign(ref, w, api.Target{}, n.owner))
}
