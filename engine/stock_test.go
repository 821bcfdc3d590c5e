package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestStockIsBounded has modules of 1064 bytes come into a cache, one after the other.
func TestStockIsBounded(t *testing.T) {
	const limit, size int64 = 32_000, 1064
	c := NewCache(t.TempDir())
	var s stock
	seldom, last := 0, int64(0)
	for i := range 200 {
		if err := s.prune(c, limit); err != nil {
			t.Fatal(err)
		}
		if s.bytes < last {
			seldom++
		}
		last = s.bytes
		d := Sum(fmt.Append(nil, i))
		if err := os.MkdirAll(c.folder(d), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(c.folder(d), "code"), make([]byte, 1000), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := c.seal(d); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(time.Duration(i-1000) * time.Hour)
		if err := os.Chtimes(c.folder(d), at, at); err != nil {
			t.Fatal(err)
		}
		s.add(c, d)
		if _, total := c.measure(); total != s.bytes || total > limit+size || !c.Has(d) {
			t.Fatalf("after %d modules the cache has %d bytes, and %d are said to be there", i+1, total, s.bytes)
		}
	}
	if seldom == 0 || seldom > 100 {
		t.Errorf("the cache was pruned %d times", seldom)
	}
	another := stock{} // of a process that finds the cache so
	if err := another.prune(c, limit/2); err != nil || another.bytes > limit/2 || another.bytes < limit/4 {
		t.Errorf("%d bytes, %v", another.bytes, err)
	}
}
