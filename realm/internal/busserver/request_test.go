package busserver

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
)

// serveMesh answers status requests as meshd would.
func serveMesh(t *testing.T, c *bus.Conn, fn func(context.Context, *api.Empty) (any, error)) *bus.Service {
	t.Helper()
	svc, err := c.NewService(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := bus.Handle(svc, api.SubjectMesh, fn); err != nil {
		t.Fatal(err)
	}
	return svc
}

func TestRequest(t *testing.T) {
	_, h := startBus(t)
	cli := connect(t, h, api.CLI)
	var status api.MeshStatus
	if err := cli.Request(within(t, soon), api.SubjectMesh, api.Empty{}, &status); !errors.Is(err, bus.ErrNoAnswer) {
		t.Errorf("without meshd: %v, want ErrNoAnswer", err)
	}
	type handler = func(context.Context, *api.Empty) (any, error)
	var answer atomic.Value
	answer.Store(func(context.Context, *api.Empty) (any, error) { return api.MeshStatus{Peers: 3}, nil })
	svc := serveMesh(t, connect(t, h, api.Meshd), func(ctx context.Context, e *api.Empty) (any, error) {
		return answer.Load().(handler)(ctx, e)
	})

	if err := cli.Request(within(t, soon), api.SubjectMesh, api.Empty{}, &status); err != nil || status.Peers != 3 {
		t.Errorf("got %+v, %v", status, err)
	}
	for name, c := range map[string]struct {
		answer handler
		want   string
	}{
		"an error":     {func(context.Context, *api.Empty) (any, error) { return nil, errors.New("no: try again") }, "no: try again"},
		"a panic":      {func(context.Context, *api.Empty) (any, error) { panic("oops") }, "panic: oops"},
		"a big answer": {func(context.Context, *api.Empty) (any, error) { return strings.Repeat("x", api.MaxMessage), nil }, "too large"},
		"a long error": {func(context.Context, *api.Empty) (any, error) { return nil, errors.New(strings.Repeat("x", 1<<20)) }, "…"},
	} {
		answer.Store(c.answer)
		var remote *bus.RemoteError
		err := cli.Request(within(t, soon), api.SubjectMesh, api.Empty{}, &status)
		if !errors.As(err, &remote) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %.200v", name, err)
		}
	}
	var remote *bus.RemoteError
	if err := cli.Request(within(t, soon), api.SubjectMesh, []byte(`{"x":1}`), &status); !errors.As(err, &remote) {
		t.Errorf("a request with an unknown field: %v", err)
	}
	if err := cli.Request(within(t, soon), api.SubjectMesh, make([]byte, api.MaxMessage+1), &status); !errors.Is(err, api.ErrTooLarge) {
		t.Errorf("a request that is too large: %v", err)
	}
	if err := svc.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := cli.Request(within(t, soon), api.SubjectMesh, api.Empty{}, &status); err == nil {
		t.Error("a stopped service answered")
	}
}

// The largest message that the client takes passes the server, too.
func TestLargestMessage(t *testing.T) {
	_, h := startBus(t)
	meshd := connect(t, h, api.Meshd)
	value := make([]byte, api.MaxMessage)
	peers := bucket(t, meshd, api.BucketPeers)
	if err := peers.Update(within(t, soon), "k", value, 0); err != nil {
		t.Fatal(err)
	}
	if e, err := peers.Get(within(t, soon), "k"); err != nil || len(e.Value) != len(value) {
		t.Errorf("got %d bytes back, %v", len(e.Value), err)
	}
	if err := peers.Put(within(t, soon), "k", make([]byte, api.MaxMessage+1)); !errors.Is(err, api.ErrTooLarge) {
		t.Errorf("put over the cap: %v", err)
	}
}

// Requests in flight end when the bus goes; those made while it is away fail at
// once; RequestRetry comes through in the end.
func TestRequestOverRestart(t *testing.T) {
	s, h := startBus(t)
	cli := connect(t, h, api.CLI)
	arrived := make(chan struct{}, 8)
	var hang atomic.Bool
	hang.Store(true)
	serveMesh(t, connect(t, h, api.Meshd), func(ctx context.Context, _ *api.Empty) (any, error) {
		arrived <- struct{}{}
		if hang.Load() {
			<-ctx.Done()
		}
		return api.MeshStatus{}, nil
	})
	failed := make(chan error, 1)
	go func() { failed <- cli.Request(within(t, time.Minute), api.SubjectMesh, api.Empty{}, &api.MeshStatus{}) }()
	<-arrived
	hang.Store(false)

	began := time.Now()
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-failed:
		if !errors.Is(err, bus.ErrDisconnected) {
			t.Errorf("in flight: %v, want ErrDisconnected", err)
		}
	case <-time.After(soon):
		t.Error("a request in flight did not end")
	}
	if err := cli.RequestRetry(within(t, 10*time.Second), api.SubjectMesh, api.Empty{}, &api.MeshStatus{}); err != nil {
		t.Errorf("retry: %v", err)
	}
	t.Logf("restart of the server to an answered request: %v", time.Since(began))
}

func TestRequestWhileAway(t *testing.T) {
	s, h := startBus(t)
	cli := connect(t, h, api.CLI)
	s.Close()
	deadline := time.Now().Add(5 * time.Second)
	for cli.Connected() && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	began := time.Now()
	err := cli.Request(within(t, time.Minute), api.SubjectMesh, api.Empty{}, &api.MeshStatus{})
	if !errors.Is(err, bus.ErrDisconnected) || time.Since(began) > soon {
		t.Errorf("got %v after %v, want ErrDisconnected at once", err, time.Since(began))
	}
	err = cli.RequestRetry(within(t, 300*time.Millisecond), api.SubjectMesh, api.Empty{}, &api.MeshStatus{})
	if !errors.Is(err, bus.ErrDisconnected) {
		t.Errorf("retry until the deadline: %v, want ErrDisconnected", err)
	}
	if _, err := bus.Connect(within(t, 200*time.Millisecond), h, api.CLI, quiet); err == nil || !strings.Contains(err.Error(), "realm up") {
		t.Errorf("connect to a node that is down: %v, want an error that says what to do", err)
	}
}

// What runnerd tells of its workloads reaches all who may listen.
func TestEvents(t *testing.T) {
	_, h := startBus(t)
	runnerd := connect(t, h, api.Runnerd)
	subject := api.SubjectEvent(api.Ref{Kind: api.KindComponent, Name: "a"})
	for _, d := range []api.Daemon{api.CLI, api.Gatewayd} {
		c, heard := connect(t, h, d), make(chan string, 8)
		stop, err := c.Subscribe(allEvents, func(subject string, data []byte) { heard <- subject + " " + string(data) })
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		if err := c.Flush(within(t, soon)); err != nil {
			t.Fatal(err)
		}
		if err := runnerd.Publish(subject, []byte("running")); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-heard:
			if got != subject+" running" {
				t.Errorf("%s got %q", d, got)
			}
		case <-time.After(5 * time.Second):
			t.Errorf("%s has heard nothing", d)
		}
	}
}

func TestLogs(t *testing.T) {
	s, h := startBus(t)
	cli := connect(t, h, api.CLI)
	runnerd := connect(t, h, api.Runnerd)
	lines := make(chan string, 8)
	stop, err := cli.Subscribe(allLogs, func(subject string, data []byte) { lines <- subject + " " + string(data) })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	subject := api.SubjectLog(api.Ref{Kind: api.KindComponent, Name: "a"})
	publish := func(text string) {
		t.Helper()
		if err := runnerd.Publish(subject, []byte(text)); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-lines:
			if got != subject+" "+text {
				t.Errorf("got %q", got)
			}
		case <-time.After(5 * time.Second):
			t.Errorf("line %q did not arrive", text)
		}
	}
	publish("one")
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	for !cli.Connected() || !runnerd.Connected() {
		time.Sleep(time.Millisecond)
	}
	if err := cli.Flush(within(t, soon)); err != nil { // its subscription is back
		t.Fatal(err)
	}
	publish("two")
}
