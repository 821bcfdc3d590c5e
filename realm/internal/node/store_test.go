package node_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/realm/internal/nodetest"
)

func TestStored(t *testing.T) {
	h, _ := nodetest.Bus(t)
	n := dial(t, h)
	short, cancel := context.WithTimeout(nodetest.Context(t), 200*time.Millisecond)
	defer cancel()
	if _, ok, err := n.Stored(short, api.Sum(nil)); ok || err == nil || !strings.Contains(err.Error(), "realm logs casd") {
		t.Errorf("without casd: %v %v", ok, err)
	}

	// casd comes up, is busy once, and has a large program, a small one, and one that
	// only another member has at first.
	large, small, far := bytes.Repeat([]byte("l"), 1<<20), []byte("s"), []byte("far away")
	held := map[string][]byte{api.Sum(large).String(): large, api.Sum(small).String(): small}
	var busy atomic.Bool
	busy.Store(true)
	mux := http.NewServeMux()
	mux.HandleFunc(api.RouteBlobGet, func(w http.ResponseWriter, r *http.Request) {
		if busy.CompareAndSwap(true, false) {
			local.WriteError(w, http.StatusServiceUnavailable, errors.New("busy"))
			return
		}
		b, ok := held[r.PathValue("sha256")]
		if !ok {
			local.WriteError(w, http.StatusNotFound, errors.New("not here"))
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	})
	mux.HandleFunc(api.RouteBlobFetch, func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("sha256") != api.Sum(far).String() || r.URL.Query().Get("size") != "8" {
			local.WriteError(w, http.StatusNotFound, errors.New("no peer has it"))
			return
		}
		local.WriteJSON(w, http.StatusOK, api.BlobInfo{SHA256: api.Sum(far), Size: int64(len(far))})
	})
	time.AfterFunc(200*time.Millisecond, func() { nodetest.HTTP(t, h, api.Casd, mux) })
	for _, b := range [][]byte{large, small} {
		s, ok, err := n.Stored(nodetest.Context(t), api.Sum(b))
		if err != nil || !ok || s.Size != int64(len(b)) || s.SHA256 != api.Sum(b) || !bytes.Equal(s.Head, b[:min(len(b), 16)]) {
			t.Errorf("%d bytes: %+v %v %v", len(b), s, ok, err)
		}
	}
	if _, ok, err := n.Stored(nodetest.Context(t), api.Sum(far)); ok || err != nil {
		t.Errorf("far: %v %v", ok, err)
	}
	if info, err := n.Bring(nodetest.Context(t), api.Sum(far), 8); err != nil || info.Size != 8 {
		t.Errorf("bring: %+v %v", info, err)
	}
	if _, err := n.Bring(nodetest.Context(t), api.Sum(nil), 0); err == nil || !strings.Contains(err.Error(), "no peer has it") {
		t.Errorf("bring nothing: %v", err)
	}
}
