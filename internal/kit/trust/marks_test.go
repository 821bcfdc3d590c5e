package trust

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// someKey signs what the marks of these tests are about.
var someKey = keys.Public{1}

func ref(name string) intent.Slot {
	return intent.Slot{Ref: api.Ref{Kind: api.KindFunction, Name: api.Name(name)}, Signer: someKey}
}

func version(seq uint64, digest byte) intent.Version {
	return intent.Version{Seq: seq, Digest: api.Digest{0xaa, digest}}
}

func openMarks(t testing.TB, path string) *Marks {
	t.Helper()
	m, err := OpenMarks(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func advance(t testing.TB, m *Marks, r intent.Slot, v intent.Version) {
	t.Helper()
	if err := m.Advance(r, v); err != nil {
		t.Fatal(err)
	}
}

func markPath(t testing.TB) string { return filepath.Join(t.TempDir(), "meshd", "marks.log") }

func TestMarksOnlyRise(t *testing.T) {
	path := markPath(t)
	m := openMarks(t, path)
	if got := m.At(ref("a")); got != (intent.Version{}) {
		t.Errorf("before all: %v", got)
	}
	steps := []struct{ v, want intent.Version }{
		{version(3, 5), version(3, 5)},
		{version(2, 9), version(3, 5)}, // older
		{version(3, 5), version(3, 5)}, // the same: a replay
		{version(3, 4), version(3, 5)}, // loses the tie
		{version(3, 6), version(3, 6)}, // wins it
		{version(7, 1), version(7, 1)},
		{intent.Version{}, version(7, 1)},
	}
	for _, s := range steps {
		advance(t, m, ref("a"), s.v)
		if got := m.At(ref("a")); got != s.want {
			t.Errorf("after %v: %v, want %v", s.v, got, s.want)
		}
	}
	other := api.Ref{Kind: api.KindComponent, Name: "a"}
	if got := m.At(intent.Slot{Ref: other, Signer: someKey}); got != (intent.Version{}) {
		t.Errorf("another kind of the same name: %v", got)
	}
	if got := m.At(intent.Slot{Ref: ref("a").Ref, Signer: keys.Public{2}}); got != (intent.Version{}) {
		t.Errorf("another signer of the same name: %v", got)
	}
}

// A replay dies also after a restart, however often.
func TestMarksStayOverRestarts(t *testing.T) {
	path := markPath(t)
	for i := range uint64(5) {
		m := openMarks(t, path)
		for j := range i {
			if got, want := m.At(ref(fmt.Sprint("n", j))), version(i, 0); got != want {
				t.Fatalf("start %d: %d is at %v, want %v", i, j, got, want)
			}
			advance(t, m, ref(fmt.Sprint("n", j)), version(j, 0)) // a replay, at most the same
			advance(t, m, ref(fmt.Sprint("n", j)), version(i+1, 0))
		}
		advance(t, m, ref(fmt.Sprint("n", i)), version(i+1, 0))
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Property: any order of Advance, on any number of starts, ends at the newest.
func TestMarksEndAtTheNewest(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1))
		path := markPath(t)
		want := map[intent.Slot]intent.Version{}
		m := openMarks(t, path)
		for range 60 {
			r, v := ref(fmt.Sprint("n", rng.IntN(4))), version(rng.Uint64N(6), byte(rng.IntN(4)))
			if v.Newer(want[r]) {
				want[r] = v
			}
			advance(t, m, r, v)
			if rng.IntN(15) == 0 {
				if err := m.Close(); err != nil {
					t.Fatal(err)
				}
				m = openMarks(t, path)
			}
		}
		m = openMarks(t, path)
		for r, v := range want {
			if got := m.At(r); got != v {
				t.Fatalf("seed %d: %s at %v, want %v", seed, r, got, v)
			}
		}
	}
}

func TestMarksFromManyGoroutines(t *testing.T) {
	path := markPath(t)
	m := openMarks(t, path)
	var g errgroup.Group
	for worker := range 8 {
		g.Go(func() error {
			for i := range uint64(20) {
				if err := m.Advance(ref("shared"), version(i, byte(worker))); err != nil {
					return err
				}
				if m.At(ref("shared")).Seq < i {
					return errors.New("a mark went back")
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := openMarks(t, path).At(ref("shared")); got != version(19, 7) {
		t.Errorf("%v", got)
	}
}

// Many are raised with one write, those that are not newer left alone; or none is.
func TestAdvanceAll(t *testing.T) {
	path := markPath(t)
	m := openMarks(t, path)
	advance(t, m, ref("b"), version(5, 0))
	err := m.AdvanceAll(map[intent.Slot]intent.Version{ref("a"): version(1, 0), ref("b"): version(4, 0), ref("c"): version(2, 7)})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.AdvanceAll(nil); err != nil {
		t.Errorf("nothing to raise: %v", err)
	}
	sound := m.file
	closed, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	m.file = closed
	if err := m.AdvanceAll(map[intent.Slot]intent.Version{ref("a"): version(9, 0), ref("c"): version(9, 0)}); err == nil {
		t.Error("written to a closed file")
	}
	m.file = sound
	for _, now := range []*Marks{m, openMarks(t, path)} {
		if a, b, c := now.At(ref("a")), now.At(ref("b")), now.At(ref("c")); a != version(1, 0) || b != version(5, 0) || c != version(2, 7) {
			t.Errorf("%v, %v, %v", a, b, c)
		}
	}
}

// A crash can cut the last line, which had not been acknowledged. Cut at every
// byte, the marks before it stand and the file takes new ones.
func TestLastLineCutShort(t *testing.T) {
	path := markPath(t)
	m := openMarks(t, path)
	advance(t, m, ref("a"), version(1, 0))
	advance(t, m, ref("b"), version(1, 0))
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	advance(t, m, ref("a"), version(2, 0))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := len(kept); n < len(whole); n++ {
		cut := markPath(t)
		write(t, cut, whole[:n])
		m := openMarks(t, cut)
		if a, b := m.At(ref("a")), m.At(ref("b")); a != version(1, 0) || b != version(1, 0) {
			t.Fatalf("cut after %d bytes: a at %v, b at %v", n, a, b)
		}
		advance(t, m, ref("a"), version(3, 0))
		if got := openMarks(t, cut).At(ref("a")); got != version(3, 0) {
			t.Fatalf("cut after %d bytes, then raised: %v", n, got)
		}
	}
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, b, 0o600)); err != nil {
		t.Fatal(err)
	}
}

// A damaged line anywhere else is no crash: to go on could accept a replay.
func TestDamagedMarksAreRefused(t *testing.T) {
	good := `{"kind":"function","name":"a","signer":"` + someKey.String() + `","seq":1,"digest":"` + strings.Repeat("ab", 32) + `"}` + "\n"
	for name, bad := range map[string]string{
		"middle":          good + "{\"kind\":\"func\n" + good,
		"whole last line": good + "garbage\n",
		"first":           "x" + good + good,
		"empty line":      good + "\n" + good,
		"zeros":           good + strings.Repeat("\x00", 20) + "\n",
		"two on a line":   strings.TrimSpace(good) + good,
		"unknown field":   strings.Replace(good, "{", `{"x":1,`, 1),
		"bad kind":        strings.Replace(good, "function", "Thing", 1),
		"no signer":       strings.Replace(good, `"signer":"`+someKey.String()+`",`, "", 1),
		"bad signer":      strings.Replace(good, "ed25519:", "rsa:", 1),
		"bad name":        strings.Replace(good, `"a"`, `"../a"`, 1),
		"bad digest":      strings.Replace(good, "ab", "zz", 1),
		"negative seq":    strings.Replace(good, `"seq":1`, `"seq":-1`, 1),
		"very long line":  strings.Repeat(" ", 5<<10) + good,
	} {
		path := markPath(t)
		write(t, path, []byte(bad))
		m, err := OpenMarks(path)
		if err == nil {
			m.Close()
			t.Errorf("%s: opened", name)
			continue
		}
		if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "restore the file from a backup") {
			t.Errorf("%s: %v; want the file's name and what to do", name, err)
		}
		if left, err := os.ReadFile(path); err != nil || string(left) != bad {
			t.Errorf("%s: the file was changed to %q (%v)", name, left, err)
		}
	}
}

// The history goes when the file is opened; the marks do not.
func TestMarksAreCompacted(t *testing.T) {
	path := markPath(t)
	m := openMarks(t, path)
	for i := range uint64(200) {
		advance(t, m, ref("a"), version(i+1, 0))
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	m = openMarks(t, path)
	after, err := os.Stat(path)
	if err != nil || after.Size()*100 > before.Size() {
		t.Errorf("%d bytes, before %d (%v)", after.Size(), before.Size(), err)
	}
	if got := m.At(ref("a")); got != version(200, 0) {
		t.Errorf("%v", got)
	}
}

// Nor does the history become more and more while the file is open.
func TestMarksAreCompactedInUse(t *testing.T) {
	const last = 4000
	path := markPath(t)
	m := openMarks(t, path)
	advance(t, m, ref("b"), version(7, 1))
	for i := range uint64(last) {
		advance(t, m, ref("a"), version(i+1, 0))
		if info, err := os.Stat(path); err != nil || info.Size() > maxHistory+4<<10 {
			t.Fatalf("%d bytes after %d versions (%v)", info.Size(), i+1, err)
		}
		if i%500 == 0 {
			if again := openMarks(t, path); again.At(ref("a")) != version(i+1, 0) || again.At(ref("b")) != version(7, 1) {
				t.Fatalf("on disk: %v, %v", again.At(ref("a")), again.At(ref("b")))
			}
			m = openMarks(t, path) // it has replaced the file
		}
	}
	if a, b := m.At(ref("a")), m.At(ref("b")); a != version(last, 0) || b != version(7, 1) {
		t.Errorf("%v, %v", a, b)
	}
}

// A write that fails raises nothing, on disk or off it, and the next one succeeds.
func TestFailedWrite(t *testing.T) {
	path := markPath(t)
	m := openMarks(t, path)
	advance(t, m, ref("a"), version(1, 0))
	sound := m.file
	closed, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	m.file = closed
	if err := m.Advance(ref("a"), version(2, 0)); err == nil || !strings.Contains(err.Error(), "function/a: advance marks") {
		t.Errorf("a write to a closed file: %v", err)
	}
	if got := m.At(ref("a")); got != version(1, 0) {
		t.Errorf("after the failure: %v", got)
	}
	// What the failed write may have left, and could not take back, goes first.
	if _, err := sound.WriteAt([]byte(strings.Repeat("half a line ", 50)+"\n"), m.size); err != nil {
		t.Fatal(err)
	}
	m.file = sound
	advance(t, m, ref("b"), version(1, 0))
	again := openMarks(t, path)
	if a, b := again.At(ref("a")), again.At(ref("b")); a != version(1, 0) || b != version(1, 0) {
		t.Errorf("after the failure and a restart: %v, %v", a, b)
	}
}

func TestOpenMarksFails(t *testing.T) {
	if _, err := OpenMarks(t.TempDir()); err == nil {
		t.Error("a folder was opened")
	}
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, nil)
	if _, err := OpenMarks(filepath.Join(file, "marks.log")); err == nil {
		t.Error("marks below a file were opened")
	}
}

// FuzzMarks opens a file of any bytes. What it takes, it gives back after a restart.
func FuzzMarks(f *testing.F) {
	line := `{"kind":"function","name":"a","signer":"` + someKey.String() + `","seq":1,"digest":"` + strings.Repeat("ab", 32) + `"}` + "\n"
	for _, s := range []string{"", line, line + line[:20], line + "x\n", strings.Replace(line, `"seq":1`, `"seq":18446744073709551615`, 1)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := &Marks{at: map[intent.Slot]intent.Version{}}
		if m.load(b) != nil {
			return
		}
		out, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		again := &Marks{at: map[intent.Slot]intent.Version{}}
		if err := again.load(out); err != nil {
			t.Fatalf("%q became %q: %v", b, out, err)
		}
		if fmt.Sprint(m.at) != fmt.Sprint(again.at) {
			t.Fatalf("%v became %v", m.at, again.at)
		}
	})
}
