package node_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/realm/internal/nodetest"
)

func TestUpload(t *testing.T) {
	h, _ := nodetest.Bus(t)
	n := dial(t, h)
	body := bytes.Repeat([]byte("x"), 1<<20)
	blob := api.BlobInfo{SHA256: api.Sum(body), Size: int64(len(body))}
	open := func() io.Reader { return bytes.NewReader(body) }

	short, cancel := context.WithTimeout(nodetest.Context(t), 250*time.Millisecond)
	defer cancel()
	if err := n.Upload(short, blob, open); err == nil || !strings.Contains(err.Error(), "realm logs casd") {
		t.Errorf("without casd: %v", err)
	}

	// casd comes up, breaks off twice in the middle, then takes it.
	var tries atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc(api.RouteBlobPut, func(w http.ResponseWriter, r *http.Request) {
		try := tries.Add(1)
		switch {
		case r.URL.Query().Get("sha256") != blob.SHA256.String():
			local.WriteError(w, http.StatusInsufficientStorage, errors.New("disk full: free some space"))
		case try < 3:
			_, _ = io.CopyN(io.Discard, r.Body, 1000)
			panic(http.ErrAbortHandler)
		default:
			b, err := io.ReadAll(r.Body)
			if err != nil || r.ContentLength != blob.Size {
				t.Errorf("length %d, %v", r.ContentLength, err)
			}
			local.WriteJSON(w, http.StatusCreated, api.BlobInfo{SHA256: api.Sum(b), Size: int64(len(b))})
		}
	})
	time.AfterFunc(200*time.Millisecond, func() { nodetest.HTTP(t, h, api.Casd, mux) })
	if err := n.Upload(nodetest.Context(t), blob, open); err != nil || tries.Load() != 3 {
		t.Errorf("after %d tries: %v", tries.Load(), err)
	}
	other := api.BlobInfo{SHA256: api.Sum(nil), Size: blob.Size}
	if err := n.Upload(nodetest.Context(t), other, open); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("a refusal: %v", err)
	}
}

func TestExec(t *testing.T) {
	h, _ := nodetest.Bus(t)
	n := dial(t, h)
	var deaths atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc(api.RouteExec, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		var req api.ExecRequest
		if err := api.Decode(b, api.MaxExec, &req); err != nil {
			local.WriteError(w, http.StatusBadRequest, err)
			return
		}
		switch req.Name {
		case "double":
			local.WriteJSON(w, http.StatusOK, api.CallReply{Result: json.RawMessage(`42`)})
		case "dies":
			deaths.Add(1)
			panic(http.ErrAbortHandler)
		default:
			local.WriteError(w, http.StatusNotFound, errors.New("no such function"))
		}
	})
	time.AfterFunc(200*time.Millisecond, func() { nodetest.HTTP(t, h, api.Gatewayd, mux) })
	arg := []json.RawMessage{json.RawMessage("21")}
	if r, err := n.Exec(nodetest.Context(t), api.ExecRequest{Name: "double", Args: arg}); err != nil || string(r.Result) != "42" {
		t.Errorf("got %s %v", r.Result, err)
	}
	if _, err := n.Exec(nodetest.Context(t), api.ExecRequest{Name: "none"}); err == nil || !strings.Contains(err.Error(), "no such function") {
		t.Errorf("got %v", err)
	}
	// It may have run: another try is the caller's to decide.
	if _, err := n.Exec(nodetest.Context(t), api.ExecRequest{Name: "dies"}); err == nil || deaths.Load() != 1 {
		t.Errorf("called %d times, %v", deaths.Load(), err)
	}
}
