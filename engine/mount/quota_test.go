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

// limited shows a folder with files to guests, bounded.
func limited(t testing.TB, limit int64, entries ...string) (*Quota, *Folder, string) {
	t.Helper()
	dir := t.TempDir()
	tree(t, dir, entries...)
	d, err := Open(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	q, err := NewQuota(d.root, limit)
	if err != nil {
		t.Fatal(err)
	}
	d.Bound(q)
	return q, d, dir
}

// counted fails unless what q has counted is what is there.
func (q *Quota) check(t testing.TB, dir string, what any) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	again, err := NewQuota(root, 0)
	if err != nil {
		t.Fatal(err)
	}
	if q.Used() != again.Used() {
		t.Fatalf("%v: %d are counted, and %d are there", what, q.Used(), again.Used())
	}
}

// TestQuotaPerOperation has each operation at, below and over the limit.
func TestQuotaPerOperation(t *testing.T) {
	file := func(do func(f sys.File) (int, sys.Errno)) func(sys.FS) (int, sys.Errno) {
		return func(fs sys.FS) (int, sys.Errno) {
			f, errno := fs.OpenFile("f", sys.O_RDWR, 0)
			if errno != 0 {
				return 0, errno
			}
			defer f.Close()
			return do(f)
		}
	}
	name := func(do func(sys.FS) sys.Errno) func(sys.FS) (int, sys.Errno) {
		return func(fs sys.FS) (int, sys.Errno) { return 0, do(fs) }
	}
	for _, c := range []struct {
		name  string
		needs int64 // beyond what is there
		do    func(sys.FS) (int, sys.Errno)
		short int // what is done of it with a byte less than that
	}{
		{"create", block, name(opens("new", sys.O_RDWR|sys.O_CREAT)), 0},
		{"create anew", block, name(opens("new", sys.O_RDWR|sys.O_CREAT|sys.O_EXCL)), 0},
		{"mkdir", block, name(func(f sys.FS) sys.Errno { return f.Mkdir("new", 0o700) }), 0},
		{"symlink", block, name(func(f sys.FS) sys.Errno { return f.Symlink("f", "new") }), 0},
		{"link", block, name(func(f sys.FS) sys.Errno { return f.Link("f", "new") }), 0},
		{"write", 2 * block, file(func(f sys.File) (int, sys.Errno) { return f.Write(make([]byte, 3*block)) }), 2 * block},
		{"pwrite", block, file(func(f sys.File) (int, sys.Errno) { return f.Pwrite(make([]byte, 9), 2*block-9) }), 0},
		{"pwrite beyond", 9 * block, file(func(f sys.File) (int, sys.Errno) { return f.Pwrite([]byte{1}, 9*block) }), 0},
		{"append", block, file(func(f sys.File) (int, sys.Errno) {
			if errno := f.SetAppend(true); errno != 0 {
				return 0, errno
			}
			return f.Write(make([]byte, block))
		}), block - len("text of f")},
		{"truncate", 4 * block, file(func(f sys.File) (int, sys.Errno) { return 0, f.Truncate(5 * block) }), 0},
	} {
		for _, less := range []int64{-1, 0, 1, c.needs, 9 * block} {
			t.Run(fmt.Sprint(c.name, " with ", -less), func(t *testing.T) {
				q, d, dir := limited(t, 0, "f")
				q.SetLimit(q.Used() + c.needs - less)
				v := d.View()
				defer v.Close()
				n, errno := c.do(v)
				q.check(t, dir, c.name)
				if want := sys.Errno(0); less <= 0 && (errno != want || q.Used() != block+c.needs) {
					t.Errorf("%v, %d used", errno, q.Used())
				}
				if less > 0 && errno != ENOSPC || less == 1 && n != c.short {
					t.Errorf("%d done, %v", n, errno)
				}
			})
		}
	}
}

// TestQuotaAnswers has what comes before ENOSPC, and what is never refused.
func TestQuotaAnswers(t *testing.T) {
	q, d, dir := limited(t, 0, "d/e/", "f", "g", "link -> f")
	v := d.View()
	defer v.Close()
	for _, c := range []struct {
		name string
		do   func(sys.FS) sys.Errno
		want sys.Errno
	}{
		{"mkdir what is there", func(f sys.FS) sys.Errno { return f.Mkdir("d", 0o700) }, sys.EEXIST},
		{"mkdir nowhere", func(f sys.FS) sys.Errno { return f.Mkdir("no/d", 0o700) }, sys.ENOENT},
		{"create below a file", opens("f/a", sys.O_RDWR|sys.O_CREAT), sys.ENOTDIR},
		{"create what is there", opens("f", sys.O_RDWR|sys.O_CREAT|sys.O_EXCL), sys.EEXIST},
		{"open what is there", opens("f", sys.O_RDWR|sys.O_CREAT), 0},
		{"truncate as it is opened", opens("f", sys.O_RDWR|sys.O_TRUNC), 0},
		{"truncate for reading", opens("f", sys.O_TRUNC), sys.EINVAL},
		{"rename", func(f sys.FS) sys.Errno { return f.Rename("f", "h") }, 0},
		{"rename over another", func(f sys.FS) sys.Errno { return f.Rename("h", "g") }, 0},
		{"rename over itself", func(f sys.FS) sys.Errno { return f.Rename("g", "g") }, 0},
		{"rename a folder", func(f sys.FS) sys.Errno { return f.Rename("d/e", "e") }, 0},
		{"rename over a folder", func(f sys.FS) sys.Errno { return f.Rename("d", "e") }, 0},
		{"unlink a link", func(f sys.FS) sys.Errno { return f.Unlink("link") }, 0},
		{"unlink", func(f sys.FS) sys.Errno { return f.Unlink("g") }, 0},
		{"unlink again", func(f sys.FS) sys.Errno { return f.Unlink("g") }, sys.ENOENT},
		{"rmdir", func(f sys.FS) sys.Errno { return f.Rmdir("e") }, 0},
	} {
		if got := c.do(v); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		q.check(t, dir, c.name)
	}
	if q.Used() != 0 {
		t.Errorf("%d used", q.Used())
	}
}

// TestUnlinkedCounts has a file without a name count until nobody has it open.
func TestUnlinkedCounts(t *testing.T) {
	q, d, _ := limited(t, 10*block, "f")
	a, b := d.View(), d.View()
	f, g := open(t, a, "f", sys.O_RDWR), open(t, b, "f", sys.O_RDWR)
	if errno := a.Unlink("f"); errno != 0 {
		t.Fatal(errno)
	}
	if errno := g.Truncate(5 * block); errno != 0 || q.Used() != 5*block {
		t.Errorf("%v, %d", errno, q.Used())
	}
	f.Close()
	if q.Used() != 5*block {
		t.Errorf("%d with one that has it open", q.Used())
	}
	b.Close()
	if q.Used() != 0 || len(q.nodes) != 0 {
		t.Errorf("%d when it is gone, %d known", q.Used(), len(q.nodes))
	}
}

// TestQuotaAsTheFolder does things at random and compares with what is there.
func TestQuotaAsTheFolder(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		q, d, dir := limited(t, 20*block, "d/")
		v := d.View()
		name := func() string { return []string{"", "d/"}[r.IntN(2)] + string(rune('a'+r.IntN(4))) }
		full := 0
		for step := range 300 {
			what, errno := act(r, v, name)
			if errno == ENOSPC {
				full++
			}
			q.check(t, dir, fmt.Sprint(seed, " ", step, " ", what, ": ", errno))
			if q.Used() > 20*block {
				t.Fatal(q.Used())
			}
		}
		if v.Close(); full == 0 || len(q.nodes) != 0 {
			t.Errorf("full %d times, %d known", full, len(q.nodes))
		}
	}
}

// act does something at random.
func act(r *rand.Rand, v *View, name func() string) (string, sys.Errno) {
	a, b, n := name(), name(), r.IntN(6*block)
	switch what := r.IntN(10); what {
	case 0:
		return "mkdir " + a, v.Mkdir(a, 0o700)
	case 1:
		return "symlink " + a, v.Symlink("x", a)
	case 2:
		return "link " + a + " " + b, v.Link(a, b)
	case 3:
		return "rename " + a + " " + b, v.Rename(a, b)
	case 4:
		return "unlink " + a, v.Unlink(a)
	case 5:
		return "rmdir " + a, v.Rmdir(a)
	default:
		f, errno := v.OpenFile(a, []sys.Oflag{sys.O_RDWR | sys.O_CREAT, sys.O_RDWR, sys.O_RDWR | sys.O_CREAT | sys.O_TRUNC, sys.O_RDWR | sys.O_APPEND}[r.IntN(4)], 0o600)
		if errno != 0 {
			return "open " + a, errno
		}
		defer f.Close()
		switch what {
		case 6:
			return fmt.Sprint("truncate ", a, n), f.Truncate(int64(n))
		case 7:
			_, errno = f.Pwrite(make([]byte, n), int64(r.IntN(4*block)))
			return fmt.Sprint("pwrite ", a, n), errno
		}
		_, errno = f.Write(make([]byte, n))
		return fmt.Sprint("write ", a, n), errno
	}
}

// TestQuotaOfManyGuests has guests change the same few files at once.
func TestQuotaOfManyGuests(t *testing.T) {
	q, d, dir := limited(t, 30*block, "d/")
	var all sync.WaitGroup
	for g := range uint64(6) {
		all.Go(func() {
			v := d.View()
			defer v.Close()
			r := rand.New(rand.NewPCG(g, 1))
			for range 1500 {
				_, _ = act(r, v, func() string { return string(rune('a' + r.IntN(3))) })
				if q.Used() > 30*block {
					t.Errorf("%d used", q.Used())
				}
			}
		})
	}
	all.Wait()
	if q.check(t, dir, "at the end"); len(q.nodes) != 0 {
		t.Errorf("%d known", len(q.nodes))
	}
}

// TestQuotaCountsOnce counts a file with two names, and what links lead to, once.
func TestQuotaCountsOnce(t *testing.T) {
	_, _, dir := limited(t, 0, "f", "out -> /etc")
	if err := os.Truncate(filepath.Join(dir, "f"), 3*block); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(dir, "f"), filepath.Join(dir, "g")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if q, err := NewQuota(root, 7); err != nil || q.Used() != 5*block || q.Limit() != 7 {
		t.Errorf("%d, %v", q.Used(), err)
	}
}

// BenchmarkQuota compares writes with a quota and without: over what is there, and such
// that the file grows.
func BenchmarkQuota(b *testing.B) {
	for _, size := range []int{4 << 10, 64 << 10} {
		for _, grows := range []bool{false, true} {
			for _, bounded := range []bool{false, true} {
				b.Run(fmt.Sprintf("%dKiB/grows=%t/bounded=%t", size>>10, grows, bounded), func(b *testing.B) {
					_, d, _ := limited(b, 1<<30, "f")
					if !bounded {
						d.Bound(nil)
					}
					v, buf := d.View(), make([]byte, size)
					defer v.Close()
					f := open(b, v, "f", sys.O_RDWR)
					b.SetBytes(int64(size))
					for i := 0; b.Loop(); i++ {
						if i%(16<<20/size) == 0 {
							if _, errno := f.Seek(0, io.SeekStart); errno != 0 {
								b.Fatal(errno)
							}
							if grows {
								if errno := f.Truncate(0); errno != 0 {
									b.Fatal(errno)
								}
							}
						}
						if _, errno := f.Write(buf); errno != 0 {
							b.Fatal(errno)
						}
					}
				})
			}
		}
	}
}
