package indexfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

var added = time.Unix(1_800_000_000, 0)

func index(n int) api.BlobIndex {
	idx := api.BlobIndex{BlobInfo: api.BlobInfo{SHA256: api.Sum([]byte("blob"))}, Chunks: make([]api.BlobInfo, n)}
	for i := range idx.Chunks {
		idx.Chunks[i] = api.BlobInfo{SHA256: api.Sum([]byte{byte(i), byte(i >> 8)}), Size: int64(1 + i%api.MaxChunk)}
		idx.Size += idx.Chunks[i].Size
	}
	return idx
}

func encode(t testing.TB, idx api.BlobIndex) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, idx, added); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	for _, n := range []int{0, 1, 2, 5000} {
		want := index(n)
		b := encode(t, want)
		got, at, err := Decode(b, want.SHA256)
		if err != nil || !reflect.DeepEqual(got, want) || !at.Equal(added) {
			t.Errorf("%d chunks: %d, %v, %v", n, len(got.Chunks), at, err)
		}
		if len(b) > MaxSize {
			t.Errorf("%d bytes, at most %d", len(b), MaxSize)
		}
	}
}

// No damage goes unnoticed.
func TestDamage(t *testing.T) {
	idx := index(3)
	whole := encode(t, idx)
	refused := func(what string, b []byte) {
		t.Helper()
		if got, _, err := Decode(b, idx.SHA256); !errors.Is(err, ErrDamaged) || !reflect.DeepEqual(got, api.BlobIndex{}) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range 8 * len(whole) {
		b := bytes.Clone(whole)
		b[i/8] ^= 1 << (i % 8)
		refused("a bit flipped", b)
	}
	for n := range whole {
		refused("cut short", whole[:n])
	}
	refused("longer", append(bytes.Clone(whole), 0))
	refused("empty", nil)
	if _, _, err := Decode(whole, api.Sum([]byte("other"))); !errors.Is(err, ErrDamaged) {
		t.Errorf("of another blob: %v", err)
	}
}

// What is wrong in itself is refused although its sum is right.
func TestNonsense(t *testing.T) {
	for name, change := range map[string]func(*api.BlobIndex){
		"a size":         func(idx *api.BlobIndex) { idx.Size++ },
		"a large chunk":  func(idx *api.BlobIndex) { idx.Chunks[0].Size, idx.Size = api.MaxChunk+1, api.MaxChunk+1 },
		"an empty chunk": func(idx *api.BlobIndex) { idx.Chunks[0].Size, idx.Size = 0, 0 },
		"a zero digest":  func(idx *api.BlobIndex) { idx.Chunks[0].SHA256 = api.Digest{} },
	} {
		idx := index(1)
		change(&idx)
		if _, _, err := Decode(encode(t, idx), idx.SHA256); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	many := encode(t, index(0))
	binary.BigEndian.PutUint32(many[headerSize-4:], 1<<31)
	if _, _, err := Decode(many, index(0).SHA256); !errors.Is(err, ErrDamaged) {
		t.Errorf("many chunks: %v", err)
	}
}

func TestWriteFails(t *testing.T) {
	for n := range len(encode(t, index(2000))) / 1000 {
		if err := Write(&failing{n * 1000}, index(2000), added); err == nil {
			t.Errorf("no error after %d bytes", n*1000)
		}
	}
}

// failing fails once that many bytes are written.
type failing struct{ left int }

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errors.New("full")
	}
	return len(p), nil
}

func FuzzDecode(f *testing.F) {
	for _, n := range []int{0, 1, 3} {
		f.Add(encode(f, index(n)))
	}
	f.Add([]byte{})
	f.Add([]byte(magic))
	f.Add([]byte(`{"sha256":"","size":0,"chunks":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		blob := index(0).SHA256
		// With a right sum the fuzzer gets to the fields.
		if len(b) > 32 {
			sum := api.Sum(b[:len(b)-32])
			b = append(bytes.Clone(b[:len(b)-32]), sum[:]...)
		}
		idx, at, err := Decode(b, blob)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("%v", err)
			}
			return
		}
		var again bytes.Buffer
		if err := Write(&again, idx, at); err != nil || !bytes.Equal(again.Bytes(), b) {
			t.Fatalf("written again it differs (%v)", err)
		}
	})
}
