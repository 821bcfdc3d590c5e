package meshd

import (
	"bufio"
	"net/http"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// references asks as casd does.
func (b *box) references(t *testing.T, tag string) (status int, newTag string, list []api.Reference) {
	t.Helper()
	client, err := local.NewClient(b.home)
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(testContext(t), http.MethodGet, local.URL(api.Meshd, "/references"), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("If-None-Match", tag)
	req.Header.Set("Prefer", "wait=10")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); resp.StatusCode == http.StatusOK && lines.Scan(); {
		var r api.Reference
		if err := api.Decode(lines.Bytes(), api.MaxMessage, &r); err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return resp.StatusCode, resp.Header.Get("ETag"), list
}

// TestReferencesInEveryStage: a node that belongs to nobody needs nothing, one that
// joins does not know yet.
func TestReferencesInEveryStage(t *testing.T) {
	if status, _, list := newBoxWithout(t).references(t, ""); status != http.StatusOK || len(list) != 0 {
		t.Errorf("without an owner: %d %v", status, list)
	}
	r, m, _ := member(t)
	if err := m.submit(t, r.Component(t, "web", 1)); err != nil {
		t.Fatal(err)
	}
	status, tag, list := m.references(t, "")
	if status != http.StatusOK || tag == "" || len(list) != 1 {
		t.Fatalf("of a member: %d %s %v", status, tag, list)
	}
	if err := m.submit(t, r.Component(t, "api", 1)); err != nil {
		t.Fatal(err)
	}
	if status, _, list = m.references(t, tag); status != http.StatusOK || len(list) != 2 {
		t.Errorf("after a push: %d %v", status, list)
	}
	joining := newBox(t)
	joining.giveToken(t, r.Invite(t, api.Invite{Expires: time.Now().Add(time.Hour)}, "/ip4/127.0.0.1/tcp/1/p2p/"+string(m.id())))
	joining.start(t)
	joining.awaitStanding(t, api.StandingJoining)
	if status, _, _ := joining.references(t, ""); status != http.StatusServiceUnavailable {
		t.Errorf("of one that joins: %d", status)
	}
}

// TestFullOutlivesMeshd: casd says it again only in a while.
func TestFullOutlivesMeshd(t *testing.T) {
	_, b, p := member(t)
	full := func(want bool) {
		t.Helper()
		b.awaitKey(t, api.BucketPeers, string(b.id()), "its store has no room", func(v []byte) bool {
			var r api.PeerRecord
			return v != nil && api.Decode(v, api.MaxMessage, &r) == nil && r.Full == want
		})
	}
	if err := b.bus.Request(testContext(t), api.SubjectAnnounce, api.AnnounceRequest{Full: true}, &api.Empty{}); err != nil {
		t.Fatal(err)
	}
	full(true)
	p.kill(t)
	b.start(t)
	full(true)
	if err := b.bus.Request(testContext(t), api.SubjectAnnounce, api.AnnounceRequest{}, &api.Empty{}); err != nil {
		t.Fatal(err)
	}
	full(false)
}
