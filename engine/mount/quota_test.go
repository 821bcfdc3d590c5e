package mount

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tetratelabs/wazero/experimental/sys"
)

// bounded shows a folder that holds at most so many blocks to a guest.
func bounded(t testing.TB, dir string, blocks int64) (*View, *Quota) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	q, err := NewQuota(root, blocks*block)
	if err != nil {
		t.Fatal(err)
	}
	d := New(root, false)
	d.Bound(q)
	v := d.View()
	t.Cleanup(func() { v.Close(); d.Close() })
	return v, q
}

// recount is what a new Quota finds.
func recount(t testing.TB, dir string) int64 {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	q, err := NewQuota(root, 0)
	if err != nil {
		t.Fatal(err)
	}
	return q.Used()
}

func used(t testing.TB, q *Quota, blocks int64) {
	t.Helper()
	if got := q.Used(); got != blocks*block {
		t.Errorf("%d bytes are used, want %d blocks", got, blocks)
	}
}

func fails(t testing.TB, what string, got, want sys.Errno) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

const create = sys.O_RDWR | sys.O_CREAT

// TestQuota fills a folder in every way, to its last block and beyond.
func TestQuota(t *testing.T) {
	dir := t.TempDir()
	tree(t, dir, "old", "sub/")
	v, q := bounded(t, dir, 6)
	used(t, q, 2)
	f := open(t, v, "new", create)
	used(t, q, 3)
	n, errno := f.Write(make([]byte, 2*block))
	if fails(t, "what fits", errno, 0); n != 2*block {
		t.Errorf("%d bytes", n)
	}
	used(t, q, 4)
	n, errno = f.Write(make([]byte, 3*block+1))
	if fails(t, "what does not fit", errno, ENOSPC); n != 2*block {
		t.Errorf("%d bytes were written, of what fits 2 blocks", n)
	}
	used(t, q, 6)
	_, errno = f.Pwrite([]byte("within"), 10)
	fails(t, "over what is there", errno, 0)
	_, errno = f.Write([]byte{1})
	fails(t, "a byte more", errno, ENOSPC)
	_, errno = f.Pwrite([]byte{1}, 1<<40)
	fails(t, "far out", errno, ENOSPC)
	fails(t, "truncate up", f.Truncate(1<<40), ENOSPC)
	fails(t, "mkdir", v.Mkdir("d", 0o700), ENOSPC)
	fails(t, "symlink", v.Symlink("old", "l"), ENOSPC)
	fails(t, "link", v.Link("old", "l"), ENOSPC)
	fails(t, "create", opens("another", create)(v), ENOSPC)
	fails(t, "create what is there", opens("old", create|sys.O_EXCL)(v), sys.EEXIST)
	fails(t, "open what is there", opens("old", sys.O_RDWR)(v), 0)
	used(t, q, 6)
	if got := recount(t, dir); got != 6*block {
		t.Errorf("a walk finds %d", got)
	}
	fails(t, "truncate", f.Truncate(1), 0)
	used(t, q, 3)
	fails(t, "empty by opening", opens("new", sys.O_RDWR|sys.O_TRUNC)(v), 0)
	fails(t, "unlink what is open", v.Unlink("new"), 0)
	used(t, q, 3)
	_, errno = f.Pwrite(make([]byte, 4*block), 0)
	fails(t, "write on without a name", errno, 0)
	fails(t, "create beside it", opens("another", create)(v), ENOSPC)
	f.Close()
	used(t, q, 2)
	fails(t, "create", opens("another", create)(v), 0)
	fails(t, "unlink", v.Unlink("another"), 0)
	fails(t, "rmdir", v.Rmdir("sub"), 0)
	fails(t, "unlink", v.Unlink("old"), 0)
	used(t, q, 0)
}

// TestQuotaOfNames: links, and names in the place of others.
func TestQuotaOfNames(t *testing.T) {
	dir := t.TempDir()
	v, q := bounded(t, dir, 20)
	for _, name := range []string{"a", "b"} {
		f := open(t, v, name, create)
		_, errno := f.Write(make([]byte, 3*block))
		fails(t, "write", errno, 0)
		f.Close()
	}
	used(t, q, 6)
	fails(t, "link", v.Link("a", "c"), 0)
	used(t, q, 7)
	fails(t, "rename onto another name of the same", v.Rename("a", "c"), 0)
	used(t, q, 7)
	fails(t, "unlink one of two", v.Unlink("a"), 0)
	used(t, q, 6)
	fails(t, "rename over another", v.Rename("b", "c"), 0)
	used(t, q, 3)
	fails(t, "rename", v.Rename("c", "d"), 0)
	used(t, q, 3)
	fails(t, "mkdir", v.Mkdir("x", 0o700), 0)
	fails(t, "mkdir", v.Mkdir("y", 0o700), 0)
	fails(t, "rename a folder over an empty one", v.Rename("x", "y"), 0)
	fails(t, "symlink", v.Symlink("d", "l"), 0)
	used(t, q, 5)
	fails(t, "mkdir what is there", v.Mkdir("y", 0o700), sys.EEXIST)
	fails(t, "unlink what is not there", v.Unlink("no"), sys.ENOENT)
	fails(t, "a link that leads nowhere", v.Symlink("fresh", "dangling"), 0)
	open(t, v, "dangling", create).Close()
	used(t, q, 7)
	if got := recount(t, dir); got != q.Used() {
		t.Errorf("a walk finds %d, it counts %d", got, q.Used())
	}
}

// TestQuotaLowered: what is more than the limit stays, and may shrink; nothing grows.
func TestQuotaLowered(t *testing.T) {
	dir := t.TempDir()
	tree(t, dir, "a", "b", "c")
	v, q := bounded(t, dir, 2)
	used(t, q, 3)
	fails(t, "create", opens("d", create)(v), ENOSPC)
	f := open(t, v, "a", sys.O_RDWR)
	_, errno := f.Pwrite([]byte("x"), 0)
	fails(t, "write over", errno, 0)
	_, errno = f.Pwrite([]byte("x"), block)
	fails(t, "grow", errno, ENOSPC)
	fails(t, "unlink", v.Unlink("b"), 0)
	fails(t, "unlink", v.Unlink("c"), 0)
	open(t, v, "d", create).Close()
	q.SetLimit(3 * block)
	open(t, v, "e", create).Close()
	used(t, q, 3)
	if q.Limit() != 3*block {
		t.Errorf("the limit is %d", q.Limit())
	}
}

// TestQuotaIsExact does at random what guests do, and counts after each step what is there.
func TestQuotaIsExact(t *testing.T) {
	for seed := range uint64(20) {
		dir := t.TempDir()
		v, q := bounded(t, dir, 12)
		r := rand.New(rand.NewPCG(seed, 1))
		name := func() string { return fmt.Sprint(string(rune('a' + r.IntN(4)))) }
		var held []sys.File
		full := 0
		for step := range 400 {
			var errno sys.Errno
			switch r.IntN(9) {
			case 0:
				errno = v.Mkdir(name(), 0o700)
			case 1:
				errno = v.Unlink(name())
			case 2:
				errno = v.Rmdir(name())
			case 3:
				errno = v.Rename(name(), name())
			case 4:
				errno = v.Link(name(), name())
			case 5:
				errno = v.Symlink(name(), name())
			default:
				flag := create
				if r.IntN(4) == 0 {
					flag |= sys.O_TRUNC
				}
				var f sys.File
				if f, errno = v.OpenFile(name(), flag, 0o600); errno != 0 {
					break
				}
				switch r.IntN(3) {
				case 0:
					_, errno = f.Write(make([]byte, r.IntN(4*block)))
				case 1:
					_, errno = f.Pwrite(make([]byte, r.IntN(100)), int64(r.IntN(6*block)))
				default:
					errno = f.Truncate(int64(r.IntN(6 * block)))
				}
				if held = append(held, f); len(held) > 3 {
					held[0].Close()
					held = held[1:]
				}
			}
			if errno == ENOSPC {
				full++
			}
			if q.Used() > q.Limit() || q.Used() < 0 {
				t.Fatalf("seed %d, step %d: %d bytes used, limit %d", seed, step, q.Used(), q.Limit())
			}
			if got := recount(t, dir); got > q.Used() {
				t.Fatalf("seed %d, step %d: a walk finds %d, it counts %d", seed, step, got, q.Used())
			}
		}
		for _, f := range held {
			f.Close()
		}
		if got := recount(t, dir); got != q.Used() || len(q.files) != 0 {
			t.Fatalf("seed %d: a walk finds %d, it counts %d, with %d files open", seed, got, q.Used(), len(q.files))
		}
		if full == 0 {
			t.Errorf("seed %d: it was never full", seed)
		}
	}
}

// TestQuotaOfManyGuests has several write at once, into one file and into their own.
func TestQuotaOfManyGuests(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	q, err := NewQuota(root, 40*block)
	if err != nil {
		t.Fatal(err)
	}
	d := New(root, false)
	d.Bound(q)
	defer d.Close()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			v := d.View()
			defer v.Close()
			r := rand.New(rand.NewPCG(uint64(i), 2))
			for range 200 {
				name := []string{"shared", fmt.Sprint("own", i)}[r.IntN(2)]
				f, errno := v.OpenFile(name, create, 0o600)
				if errno != 0 {
					continue
				}
				if _, errno := f.Seek(0, io.SeekEnd); errno == 0 {
					_, _ = f.Write(make([]byte, r.IntN(2*block)))
				}
				if r.IntN(4) == 0 {
					_ = f.Truncate(int64(r.IntN(block)))
				}
				f.Close()
				if r.IntN(8) == 0 {
					_ = v.Unlink(name)
				}
				if q.Used() > q.Limit() {
					t.Errorf("%d used of %d", q.Used(), q.Limit())
				}
			}
		})
	}
	all.Wait()
	if got := recount(t, dir); got != q.Used() {
		t.Errorf("a walk finds %d, it counts %d", got, q.Used())
	}
	entries, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(entries) == 0 {
		t.Errorf("%v, %v", entries, err)
	}
}

// BenchmarkWrite compares writes with and without a quota.
func BenchmarkWriteQuota(b *testing.B) {
	for _, with := range []bool{false, true} {
		b.Run(map[bool]string{false: "free", true: "bounded"}[with], func(b *testing.B) {
			dir := b.TempDir()
			v := shown(b, dir, false)
			if with {
				v, _ = bounded(b, dir, 1<<20)
			}
			f := open(b, v, "f", create)
			buf := make([]byte, 16<<10)
			b.SetBytes(int64(len(buf)))
			for b.Loop() {
				if _, errno := f.Pwrite(buf, 0); errno != 0 {
					b.Fatal(errno)
				}
			}
		})
	}
}
