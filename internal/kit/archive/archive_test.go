package archive

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var testLimits = Limits{Bytes: 1 << 20, Files: 100}

// tree makes files below a folder: "name" or "name!" for one that may be executed, "name/"
// for a folder.
func tree(t testing.TB, files map[string]string) *os.Root {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, strings.TrimRight(name, "!"))
		mode := os.FileMode(0o600)
		if strings.HasSuffix(name, "!") {
			mode = 0o700
		}
		folder := filepath.Dir(path)
		if strings.HasSuffix(name, "/") {
			folder = path
		}
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if folder == path {
			continue
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func pack(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Tree(t.Context(), tree(t, files), ".", &out, testLimits); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func read(raw []byte, l Limits) (*Archive, error) {
	return Open(bytes.NewReader(raw), int64(len(raw)), l)
}

var some = map[string]string{"a.txt": "first", "run!": "#!", "sub/b": "second", "sub/deep/c": "", "empty/": "", "ünï": "x"}

// TestSameInputSameBytes: times, modes beyond the execute bit, and the order in which files
// were made leave no trace.
func TestSameInputSameBytes(t *testing.T) {
	first := pack(t, some)
	dir := tree(t, some)
	for name := range some {
		_ = os.Chtimes(filepath.Join(dir.Name(), strings.TrimRight(name, "!/")), time.Time{}, time.Unix(1e9, 0))
	}
	if err := os.Chmod(filepath.Join(dir.Name(), "a.txt"), 0o644); err != nil {
		t.Fatal(err)
	}
	var second bytes.Buffer
	if err := Tree(t.Context(), dir, ".", &second, testLimits); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second.Bytes()) {
		t.Error("the same files make other bytes")
	}
	if bytes.Equal(first, pack(t, map[string]string{"a.txt": "First", "run!": "#!", "sub/b": "second", "sub/deep/c": "", "empty/": "", "ünï": "x"})) {
		t.Error("other files make the same bytes")
	}
	if sum := fmt.Sprintf("%08x", crc32.ChecksumIEEE(first)); sum != "10426cd1" {
		t.Errorf("checksum %s: what everybody has made until now has other digests from here on", sum)
	}
}

func TestRoundTrip(t *testing.T) {
	a, err := read(pack(t, some), testLimits)
	if err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{false, true} {
		into := tree(t, nil)
		if err := a.Extract(t.Context(), into, readOnly); err != nil {
			t.Fatal(err)
		}
		var again bytes.Buffer
		if err := Tree(t.Context(), into, ".", &again, testLimits); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Bytes(), pack(t, some)) {
			t.Error("what was unpacked makes another archive")
		}
		info, err := into.Stat("sub/b")
		if err != nil || info.Mode().Perm()&0o222 != 0 == readOnly {
			t.Errorf("read-only %v: %v, %v", readOnly, info.Mode(), err)
		}
		_ = filepath.WalkDir(into.Name(), func(p string, e fs.DirEntry, _ error) error { return os.Chmod(p, 0o700) })
	}
	if err := a.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if a.Size() != int64(len("first"+"#!"+"second"+"x")) || len(a.Entries()) != 8 {
		t.Errorf("%d bytes, %+v", a.Size(), a.Entries())
	}
	if _, err := a.File("sub"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder is read as a file: %v", err)
	}
}

// TestExtractNeedsAnEmptyFolder: nothing that is there is written over.
func TestExtractNeedsAnEmptyFolder(t *testing.T) {
	a, err := read(pack(t, some), testLimits)
	if err != nil {
		t.Fatal(err)
	}
	into := tree(t, map[string]string{"sub/b": "mine"})
	if err := a.Extract(t.Context(), into, false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v", err)
	}
	if got, _ := into.ReadFile("sub/b"); string(got) != "mine" {
		t.Errorf("it is %q now", got)
	}
}

func TestTreeRefuses(t *testing.T) {
	for name, make := range map[string]func(dir string) error{
		"neither a file nor a folder": func(d string) error { return os.Symlink("a", filepath.Join(d, "link")) },
		"the name of a device":        func(d string) error { return os.WriteFile(filepath.Join(d, "aux.txt"), nil, 0o600) },
		"the same on some":            func(d string) error { return os.WriteFile(filepath.Join(d, "A"), nil, 0o600) },
		"some systems drop":           func(d string) error { return os.WriteFile(filepath.Join(d, "x."), nil, 0o600) },
		"not all systems take":        func(d string) error { return os.WriteFile(filepath.Join(d, "x:y"), nil, 0o600) },
		"no UTF-8":                    func(d string) error { return os.WriteFile(filepath.Join(d, "x\xff"), nil, 0o600) },
		"normal form":                 func(d string) error { return os.WriteFile(filepath.Join(d, "u\u0308"), nil, 0o600) },
		"1048576 bytes":               func(d string) error { return os.WriteFile(filepath.Join(d, "x"), make1(1<<20), 0o600) },
		"more than 100 files|at most": func(d string) error { return many(d, 101) },
	} {
		root := tree(t, map[string]string{"a": "x"})
		if err := make(root.Name()); err != nil {
			t.Fatal(err)
		}
		want, _, _ := strings.Cut(name, "|")
		if err := Tree(t.Context(), root, ".", io.Discard, testLimits); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func make1(n int) []byte { return bytes.Repeat([]byte("x"), n) }

func many(dir string, n int) error {
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint("f", i)), nil, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func TestCheckName(t *testing.T) {
	for _, name := range []string{"a", "a/b.c", ".hidden", "a b", "ü", "console.txt", "a..b", "-", strings.Repeat("x/", 500) + "x"} {
		if err := CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", ".", "..", "/", "/a", "a/", "a//b", "./a", "a/..", "../a", "a/../../b", `a\b`, `..\a`, "C:", "c:a", "a\x00b", "a\nb", "a\x7fb",
		"con", "CON.txt", "a/NUL", "lpt1.x", "com9", "nul .x", "a ", "a.", "a/b./c", "a*", "a?", "a|b", "<a>", `"`, "\xff", "u\u0308", strings.Repeat("x", 256), strings.Repeat("x/", 512) + "x"} {
		if CheckName(name) == nil {
			t.Errorf("%q is taken", name)
		}
	}
}

// entry is one of an archive that is made by hand.
type entry struct {
	name        string
	body        string
	mode        uint32 // of Unix, type included
	method      uint16
	flags       uint16
	localName   string // another name before the bytes
	size, csize int64  // that the directory says; -1: the true ones
	lsize       int64  // that the header before the bytes says; -1: like the directory
	sum         uint32 // 0: the true one
	offset      int64  // that the directory says; -1: the true one
}

func plainEntry(name, body string) entry {
	return entry{name: name, body: body, mode: 0o100644, size: -1, csize: -1, lsize: -1, offset: -1}
}

// byHand makes an archive of entries; between comes after each, before the whole.
func byHand(entries []entry, before, between, after string) []byte {
	var out, dir bytes.Buffer
	le := func(w io.Writer, all ...any) {
		for _, v := range all {
			_ = binary.Write(w, binary.LittleEndian, v)
		}
	}
	out.WriteString(before)
	for _, e := range entries {
		size, csize, lsize, sum, offset := e.size, e.csize, e.lsize, e.sum, e.offset
		if size < 0 {
			size = int64(len(e.body))
		}
		if csize < 0 {
			csize = int64(len(e.body))
		}
		if lsize < 0 {
			lsize = size
		}
		if sum == 0 {
			sum = crc32.ChecksumIEEE([]byte(e.body))
		}
		if offset < 0 {
			offset = int64(out.Len())
		}
		local := e.name
		if e.localName != "" {
			local = e.localName
		}
		le(&out, uint32(localHeader), uint16(20), e.flags, e.method, uint16(0), uint16(33), sum, uint32(csize), uint32(lsize), uint16(len(local)), uint16(0))
		out.WriteString(local + e.body + between)
		le(&dir, uint32(0x02014b50), uint16(3<<8|20), uint16(20), e.flags, e.method, uint16(0), uint16(33), sum, uint32(csize), uint32(size),
			uint16(len(e.name)), uint16(0), uint16(0), uint16(0), uint16(0), e.mode<<16, uint32(offset))
		dir.WriteString(e.name)
	}
	start := out.Len()
	out.Write(dir.Bytes())
	le(&out, uint32(endRecord), uint16(0), uint16(0), uint16(len(entries)), uint16(len(entries)), uint32(dir.Len()), uint32(start), uint16(0))
	out.WriteString(after)
	return out.Bytes()
}

// TestHostile: what is wrong is refused before anything is written, or at the latest when
// the bytes turn out to be others than were promised.
func TestHostile(t *testing.T) {
	one := func(change func(*entry)) []byte {
		e := plainEntry("a", "hello")
		change(&e)
		return byHand([]entry{e}, "", "", "")
	}
	two := func(a, b string) []byte {
		return byHand([]entry{plainEntry(a, "1"), plainEntry(b, "2")}, "", "", "")
	}
	named := func(name string) []byte { return one(func(e *entry) { e.name = name }) }
	var lots []entry
	for i := range testLimits.Files + 1 {
		lots = append(lots, plainEntry(fmt.Sprint("f", i), ""))
	}
	for name, raw := range map[string][]byte{
		"nothing": nil, "no archive": []byte("hello"), "an end alone with more": byHand(nil, "x", "", ""),
		"slip": named("../a"), "slip further in": named("a/../../b"), "absolute": named("/etc/passwd"), "drive": named("C:/a"), "backslash": named(`..\a`),
		"NUL": named("a\x00b"), "control": named("a\x1b[2J"), "device": named("sub/aux.txt"), "dot": named("a."), "no UTF-8": named("\xff"), "no normal form": named("u\u0308"),
		"long name": named(strings.Repeat("x", 300)), "empty name": named(""), "double slash": named("a//b"),
		"link": one(func(e *entry) { e.mode = 0o120777 }), "device file": one(func(e *entry) { e.mode = 0o020644 }), "fifo": one(func(e *entry) { e.mode = 0o010644 }), "socket": one(func(e *entry) { e.mode = 0o140644 }),
		"file that is a folder": one(func(e *entry) { e.mode = 0o040755 }),
		"folder with bytes":     one(func(e *entry) { e.name, e.mode = "a/", 0o040755 }),
		"encrypted":             one(func(e *entry) { e.flags = 1 }),
		"method":                one(func(e *entry) { e.method = 14 }),
		"twice":                 two("a", "a"), "twice but for case": two("a", "A"), "twice but for case further up": two("Sub/a", "sub/b"), "kelvin": two("k", "\u212a"),
		"file and folder": two("a", "a/b"), "folder and file": two("a/b", "a"),
		"too many":              byHand(lots, "", "", ""),
		"larger than it may be": one(func(e *entry) { e.size, e.csize = testLimits.Bytes+1, testLimits.Bytes+1 }),
		"sum overflows": byHand([]entry{func() entry {
			e := plainEntry("a", "x")
			e.size, e.csize = testLimits.Bytes, testLimits.Bytes
			return e
		}(), func() entry {
			e := plainEntry("b", "x")
			e.size, e.csize = testLimits.Bytes, testLimits.Bytes
			return e
		}()}, "", "", ""),
		"longer than told":     one(func(e *entry) { e.size, e.csize = 3, 3 }),
		"shorter than told":    one(func(e *entry) { e.size, e.csize = 9, 9 }),
		"two sizes":            one(func(e *entry) { e.size = 4 }),
		"another size inside":  one(func(e *entry) { e.lsize = 4 }),
		"another name inside":  one(func(e *entry) { e.localName = "b" }),
		"a longer name inside": one(func(e *entry) { e.localName = "../../etc/x" }),
		"another sum":          one(func(e *entry) { e.sum = 7 }),
		"overlap":              byHand([]entry{plainEntry("a", "1"), func() entry { e := plainEntry("b", "1"); e.localName, e.offset = "a", 0; return e }()}, "", "", ""),
		"the same bytes twice": byHand([]entry{plainEntry("a", "1"), func() entry { e := plainEntry("a", "1"); e.name, e.localName, e.offset = "b", "b", 0; return e }()}, "", "", ""),
		"something before":     byHand([]entry{plainEntry("a", "1")}, "#!/bin/sh\n", "", ""),
		"something between":    byHand([]entry{plainEntry("a", "1"), plainEntry("b", "1")}, "", "hidden", ""),
		"something after":      byHand([]entry{plainEntry("a", "1")}, "", "", "hidden"),
		"offset out of range":  one(func(e *entry) { e.offset = 1 << 30 }),
		"lying deflate":        deflated(t, 1<<19, 10),
		"deflate bomb":         deflated(t, 1<<19, 1<<19-1),
	} {
		t.Run(name, func(t *testing.T) {
			a, err := read(raw, testLimits)
			into := tree(t, nil)
			if err == nil {
				if err = a.Verify(t.Context()); !errors.Is(err, ErrBad) {
					t.Errorf("verified: %v", err)
				}
				err = a.Extract(t.Context(), into, false)
			}
			if !errors.Is(err, ErrBad) {
				t.Errorf("%v", err)
			}
			checkInside(t, into, testLimits.Bytes)
		})
	}
	if _, err := read(byHand([]entry{plainEntry("a", "1"), plainEntry("b/c", "2")}, "", "", ""), testLimits); err != nil {
		t.Errorf("a plain one, made alike: %v", err)
	}
}

// deflated is an archive with so many bytes of zeros that says it has said many.
func deflated(t *testing.T, n, said int) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	w, err := z.Create("a")
	if err == nil {
		_, err = w.Write(make([]byte, n))
	}
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	raw := out.Bytes()
	var size [4]byte
	binary.LittleEndian.PutUint32(size[:], uint32(n))
	var lie [4]byte
	binary.LittleEndian.PutUint32(lie[:], uint32(said))
	return bytes.ReplaceAll(raw, size[:], lie[:])
}

// checkInside sees to it that nothing is beside into, and not too much in it.
func checkInside(t testing.TB, into *os.Root, most int64) {
	t.Helper()
	var sum int64
	err := filepath.WalkDir(into.Name(), func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() {
			sum += info.Size()
		}
		if !info.IsDir() && !info.Mode().IsRegular() {
			t.Errorf("%s is %s", p, info.Mode())
		}
		return err
	})
	if err != nil || sum > most {
		t.Errorf("%d bytes were written, %v", sum, err)
	}
	beside, err := os.ReadDir(filepath.Dir(into.Name()))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range beside {
		if !slices.Contains([]string{filepath.Base(into.Name()), "001", "002", "003"}, e.Name()) {
			t.Errorf("%s is beside the folder", e.Name())
		}
	}
}

// TestTruncated cuts an archive at each byte.
func TestTruncated(t *testing.T) {
	raw := pack(t, some)
	for n := range raw {
		if _, err := read(raw[:n], testLimits); err == nil {
			t.Fatalf("the first %d of %d bytes are taken", n, len(raw))
		}
	}
}

func FuzzExtract(f *testing.F) {
	f.Add(pack(f, some))
	f.Add(byHand([]entry{plainEntry("a", "1"), plainEntry("b/c", "2")}, "", "", ""))
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := read(raw, testLimits)
		if err != nil {
			return
		}
		into := tree(t, nil)
		if a.Extract(t.Context(), into, false) == nil {
			var again bytes.Buffer
			if err := Tree(t.Context(), into, ".", &again, testLimits); err != nil {
				t.Errorf("what was unpacked cannot be packed: %v", err)
			}
		}
		checkInside(t, into, testLimits.Bytes)
	})
}
