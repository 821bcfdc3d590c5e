package httpshape

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// serveAt has this program be a server, which ends when it is asked for /end.
const serveAt = "HTTPSHAPE_SERVE_AT"

func TestMain(m *testing.M) {
	if addr := os.Getenv(serveAt); addr != "" {
		mux := http.NewServeMux()
		mux.Handle("/", upstreamRoutes())
		mux.HandleFunc("/end", func(http.ResponseWriter, *http.Request) { os.Exit(1) })
		_ = http.ListenAndServe(addr, mux) //nolint:gosec // of one test, that kills it
	}
	goleak.VerifyTestMain(m)
}

func TestCommandIsRestarted(t *testing.T) {
	env, err := exec.LookPath("env")
	if err != nil {
		t.Fatalf("this test starts a program with a variable of its environment: %v", err)
	}
	c := &Command{Args: []string{env, serveAt + "={addr}", os.Args[0]}}
	got, err := Run(t.Context(), c, "", []Shape{{Name: "end", Target: "/end"}, {Name: "plain", Target: "/plain"}})
	if err := errors.Join(err, c.Close()); err != nil {
		t.Fatal(err)
	}
	if got[0].Outcome.End != NoAnswer || got[0].Outcome.Survived || got[1].Outcome.Status != 200 || !got[1].Outcome.Survived {
		t.Errorf("observed %+v", got)
	}
}

// scripted is a server that answers every connection with these bytes, after it has read a head.
func scripted(t *testing.T, answer string, hold bool) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = io.WriteString(conn, answer)
			if hold {
				_, _ = io.Copy(io.Discard, conn)
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}

func TestObserve(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		hold   bool
		hangUp int64
		want   Outcome
	}{
		"whole": {answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\nx-a: 0\r\nDate: x\r\n\r\nhi",
			want: Outcome{End: Whole, Status: 200, Headers: []string{"x-a: 1", "x-a: 0"}, Size: 2, Text: "hi"}},
		"trailers": {answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-T: 1\r\n\r\n",
			want: Outcome{End: Whole, Status: 200, Size: 1, Text: "a", Trailers: []string{"x-t: 1"}}},
		"cut": {answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi",
			want: Outcome{End: Cut, Status: 200, Size: 2, Text: "hi"}},
		"cut chunks": {answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
			want: Outcome{End: Cut, Status: 200, Size: 1, Text: "a"}},
		"no answer":     {want: Outcome{End: NoAnswer}},
		"waiting":       {hold: true, want: Outcome{End: Waiting}},
		"informational": {answer: "HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 204 None\r\n\r\n", want: Outcome{End: Whole, Informational: []int{103}, Status: 204}},
		"hung up": {answer: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabcdefghi", hold: true, hangUp: 3,
			want: Outcome{End: HungUp, Status: 200, Size: 3, Text: "abc"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Shape{Name: name, Target: "/", Within: 10 * time.Second, HangUp: c.hangUp}
			if c.want.End == Waiting {
				s.Within = 200 * time.Millisecond
			}
			got, err := Observe(t.Context(), scripted(t, c.answer, c.hold), "", s)
			if err != nil || !equal(c.want, got) {
				t.Errorf("observed %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

func TestSends(t *testing.T) {
	s := Shape{Target: "/fetch?{upstream}", Headers: []string{"X-A: 1"},
		Body: &Body{Size: 5, Piece: 3, Chunked: true, Trailers: []string{"X-T: 2"}}}
	var body strings.Builder
	if err := sendBody(&body, s.Body); err != nil {
		t.Fatal(err)
	}
	want := "GET /fetch?up:1 HTTP/1.1\r\nHost: here:2\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" +
		"3\r\nabc\r\n2\r\nab\r\n0\r\nX-T: 2\r\n\r\n"
	if got := head("here:2", "up:1", &s) + body.String(); got != want {
		t.Errorf("sent %q, want %q", got, want)
	}
}

// Every shape has a recorded outcome, no two have one name, and deviations are of shapes, and change something.
func TestGolden(t *testing.T) {
	recorded, err := Golden()
	if err != nil {
		t.Fatal(err)
	}
	var shapes, kept []string
	for _, s := range Shapes() {
		shapes = append(shapes, s.Component+": "+s.Name)
	}
	known := Deviations()
	for _, r := range recorded {
		kept = append(kept, r.Component+": "+r.Shape)
		if d, deviates := known[r.Shape]; deviates {
			right := r.Outcome
			d.Right(&right)
			if reflect.DeepEqual(right, r.Outcome) {
				t.Errorf("the deviation of %s changes nothing", r.Shape)
			}
			delete(known, r.Shape)
		}
	}
	for name := range known {
		t.Errorf("a deviation of %s, which is no shape", name)
	}
	slices.Sort(shapes)
	slices.Sort(kept)
	if !slices.Equal(shapes, kept) {
		t.Error("the recorded outcomes are not those of all shapes: run comparehttp with --record")
	}
	if n := len(slices.Compact(shapes)); n != len(Shapes()) {
		t.Error("two shapes have one name")
	}
}

func TestCompareFindsDifferences(t *testing.T) {
	recorded, err := Golden()
	if err != nil {
		t.Fatal(err)
	}
	right := slices.Clone(recorded)
	changed := 0
	for i, r := range recorded {
		if d, deviates := Deviations()[r.Shape]; deviates {
			d.Right(&right[i].Outcome)
			if !equal(right[i].Outcome, r.Outcome) {
				changed++
			}
		}
	}
	if d := Compare(right, recorded); len(d) != 0 {
		t.Errorf("differences of one with itself: %s", d[0].String())
	}
	if got := len(Compare(recorded, recorded)); got != changed || changed < 20 {
		t.Errorf("%d differences of what was recorded, want those of the %d deviations", got, changed)
	}
	right[0].Outcome.Status++
	if d := Compare(right, recorded); len(d) != 1 || !strings.Contains(d[0].String(), right[0].Shape) {
		t.Errorf("a changed status gave %d differences", len(d))
	}
}

func TestUpstreamAndFixedServer(t *testing.T) {
	u, err := StartUpstream(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = u.Close() }()
	got, err := Run(t.Context(), Fixed(u.Addr), "", []Shape{{Name: "cut", Target: "/cut"}, {Name: "missing", Target: "/missing"}})
	if err != nil || got[0].Outcome.End != Cut || got[0].Outcome.Text != "only this\n" || got[1].Outcome.Status != 404 || !got[1].Outcome.Survived {
		t.Errorf("observed %+v, %v", got, err)
	}
}
