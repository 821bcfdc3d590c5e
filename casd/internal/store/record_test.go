package store

import (
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

func records(t *testing.T, s *Store) (out []Record) {
	t.Helper()
	if err := s.Records(func(r Record) error { out = append(out, r); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRecords(t *testing.T) {
	s := openStore(t, t.TempDir())
	start := time.Now()
	want := map[api.Digest]Record{}
	for i := range uint64(40) {
		d := put(t, s, noise(60+i, 1000))
		want[d] = Record{BlobInfo: api.BlobInfo{SHA256: d, Size: 1000}, Has: 1000, Whole: true}
	}
	part := s.fakeFetch(t, noise(110, 200_000), 2)
	want[part.SHA256] = Record{BlobInfo: part.BlobInfo, Has: part.Chunks[0].Size + part.Chunks[1].Size}
	hurt := noise(111, 200_000)
	d := put(t, s, hurt)
	first := indexOf(t, hurt).Chunks[0]
	edit(t, s.chunkPath(first.SHA256), func(b []byte) []byte { b[0] ^= 1; return b })
	if _, err := get(s, d); !errors.Is(err, ErrDamaged) {
		t.Fatal(err)
	}
	want[d] = Record{BlobInfo: api.BlobInfo{SHA256: d, Size: 200_000}, Has: 200_000 - first.Size, Damaged: true}

	for range 2 {
		got := records(t, s)
		if !slices.IsSortedFunc(got, func(a, b Record) int { return a.SHA256.Compare(b.SHA256) }) || len(got) != len(want) {
			t.Errorf("%d records, want %d in order", len(got), len(want))
		}
		for _, r := range got {
			for _, at := range []time.Time{r.Added, r.Used} {
				if at.Before(start.Add(-time.Second)) || at.After(time.Now().Add(time.Second)) {
					t.Errorf("added %v, used %v", r.Added, r.Used)
				}
			}
			r.Added, r.Used = time.Time{}, time.Time{}
			if r != want[r.SHA256] {
				t.Errorf("record %+v, want %+v", r, want[r.SHA256])
			}
		}
		s = openStore(t, s.dir) // once more after a start
	}
	stop := errors.New("enough")
	if err := s.Records(func(Record) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("ended with %v", err)
	}
}

// When a blob was used is known to the hour, also after a start.
func TestTouch(t *testing.T) {
	s := openStore(t, t.TempDir())
	whole := put(t, s, noise(120, 10))
	part := s.fakeFetch(t, noise(121, 100_000), 1).SHA256
	tests := []struct {
		name   string
		blob   api.Digest
		ext    string
		age    time.Duration
		use    func(api.Digest)
		isUsed bool
	}{
		{"touched", whole, extWhole, 2 * time.Hour, s.Touch, true},
		{"touched partial", part, extPart, 2 * time.Hour, s.Touch, true},
		{"touched lately", whole, extWhole, 30 * time.Minute, s.Touch, false},
		{"read", whole, extWhole, 30 * 24 * time.Hour, func(d api.Digest) { _, _ = get(s, d) }, true},
		{"put again", whole, extWhole, 2 * time.Hour, func(api.Digest) { put(t, s, noise(120, 10)) }, true},
		{"listed", whole, extWhole, 2 * time.Hour, func(api.Digest) { records(t, s) }, false},
		{"a clock that was ahead", whole, extWhole, -2 * time.Hour, s.Touch, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			then := time.Now().Add(-tt.age)
			if err := os.Chtimes(s.indexPath(tt.blob, tt.ext), then, then); err != nil {
				t.Fatal(err)
			}
			tt.use(tt.blob)
			for _, r := range records(t, openStore(t, s.dir)) {
				if r.SHA256 == tt.blob && (time.Since(r.Used).Abs() < time.Minute) != tt.isUsed {
					t.Errorf("used %v ago, want it noted: %v", time.Since(r.Used), tt.isUsed)
				}
			}
		})
	}
	s.Touch(api.Sum([]byte("not here")))
}
