package keep

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
)

func TestNeeds(t *testing.T) {
	a, b, c := api.Digest{1}, api.Digest{2}, api.Digest{3}
	web, fn := api.Ref{Kind: api.KindComponent, Name: "web"}, api.Ref{Kind: api.KindFunction, Name: "web"}
	n := newNeeds("t", []api.Reference{{Blob: b, Ref: web, Seq: 2, Size: 5}, {Blob: a, Ref: web, Seq: 1, Size: 5}, {Blob: b, Ref: web, Seq: 1, Size: 5}, {Blob: b, Ref: fn, Seq: 1, Size: 6}})
	if n.blobs != 2 {
		t.Errorf("%d blobs", n.blobs)
	}
	if of := n.of(b); len(of) != 3 || !slices.Equal(refs(of, 16), []api.Ref{web, fn}) || len(refs(of, 1)) != 1 {
		t.Errorf("%+v", of)
	}
	if len(n.of(c)) != 0 || len(n.of(api.Digest{})) != 0 || len(n.of(a)) != 1 {
		t.Error("what is needed is another blob")
	}
	if sizeOf(n.of(a)) != 5 || sizeOf(n.of(b)) != 0 {
		t.Error("a size that is contradicted counts, or one that is not does not")
	}
	count := 0
	for range n.each {
		count++
		break
	}
	if count != 1 {
		t.Error("it cannot be left")
	}
}

func TestReadReferences(t *testing.T) {
	good := `{"blob":"` + api.Sum(nil).String() + `","size":3,"kind":"pin","name":"a","seq":1}`
	for text, want := range map[string]int{
		"":                               0,
		good:                             1,
		good + "\n" + good + "\n":        2,
		good + "\n\n":                    -1,
		"nothing":                        -1,
		good[:len(good)-1]:               -1,
		`{"kind":"pin"}`:                 -1,
		strings.Repeat("x", 5000):        -1,
		good[:len(good)-1] + `,"new":1}`: 1, // of a newer meshd
	} {
		list, err := readReferences(strings.NewReader(text))
		if (err != nil) != (want < 0) || err == nil && len(list) != want {
			t.Errorf("%.100q: %d, %v", text, len(list), err)
		}
	}
	if _, err := readReferences(strings.NewReader(strings.Repeat(good+"\n", api.MaxReferences+1))); err == nil {
		t.Error("there is no end to it")
	}
}

// FuzzReadReferences: whatever meshd's socket or the file holds, what is read can be
// written and read again.
func FuzzReadReferences(f *testing.F) {
	one, err := json.Marshal(api.Reference{Blob: api.Sum(nil), Size: 1, Ref: api.Ref{Kind: api.KindPin, Name: "a"}, Seq: 1, Current: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	f.Add(one)
	f.Add(slices.Concat(one, []byte("\n"), one, []byte("\n")))
	f.Add([]byte("{}\n[]\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := readReferences(bytes.NewReader(b))
		if err != nil {
			return
		}
		n := newNeeds("", list)
		var out bytes.Buffer
		for _, r := range n.list {
			if err := json.NewEncoder(&out).Encode(r); err != nil {
				t.Fatal(err)
			}
		}
		again, err := readReferences(&out)
		if err != nil || !sameList(n.list, again) {
			t.Errorf("%q becomes %v, %v", b, again, err)
		}
		for _, r := range n.list {
			if len(n.of(r.Blob)) == 0 {
				t.Errorf("%s is in the list, and not found", r.Blob)
			}
		}
	})
}

func TestAgenda(t *testing.T) {
	var a agenda
	for i := range 100 {
		a.add(t0.AddDate(0, 0, (i*37)%100), api.Digest{byte(i)})
	}
	last := t0.AddDate(-1, 0, 0)
	for range 100 {
		e, ok := a.next()
		if !ok || e.at.Before(last) {
			t.Fatalf("%s after %s", e.at, last)
		}
		last = e.at
		a.drop()
	}
	if _, ok := a.next(); ok {
		t.Error("there is more in it than was put")
	}
	for i := range 200 {
		a.add(t0, api.Digest{byte(i)})
		a.tidy(4, func(e entry) bool { return e.blob[0] == 1 })
	}
	if len(a.entries) > 70 {
		t.Errorf("%d entries, of which one stands", len(a.entries))
	}
}
