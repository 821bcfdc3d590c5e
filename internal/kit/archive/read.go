package archive

import (
	"archive/zip"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// ErrBad says that an archive is not as archives are to be.
var ErrBad = errors.New("it is no archive that may be unpacked")

// Entry is a file or folder in an archive.
type Entry struct {
	Name string // with slashes, none at the end
	Dir  bool
	Exec bool
	Size int64 // of a file
}

// Archive is one that was checked: see the package. It is safe for use by several
// goroutines if its reader is.
type Archive struct {
	entries []Entry
	files   map[string]*zip.File
	size    int64
}

// Formats of zip (PKWARE, APPNOTE.TXT 6.3.10).
const (
	localHeader     = 0x04034b50
	localBytes      = 30
	endRecord       = 0x06054b50
	endBytes        = 22
	flagEncrypted   = 1 << 0
	flagDescriptor  = 1 << 3
	descriptorLeast = 12 // bytes behind an entry that is told its size late
	descriptorMost  = 24
	maxExtra        = 64 // bytes of other programs in a header
)

// MaxFiles is the most files and folders of an archive: more are of a format that is
// refused.
const MaxFiles = 0xfffe

// Open checks the archive in the first size bytes of r. Errors that say [ErrBad] are of the
// archive.
func Open(r io.ReaderAt, size int64, l Limits) (*Archive, error) {
	start, err := checkEnd(r, size, l)
	if err != nil {
		return nil, err
	}
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBad, err)
	}
	if len(z.File) > l.Files { // more than its end says
		return nil, fmt.Errorf("%w: %d files and folders, at most %d", ErrBad, len(z.File), l.Files)
	}
	a := &Archive{files: make(map[string]*zip.File, len(z.File))}
	seen := names{}
	for _, f := range z.File {
		if err := a.take(f, seen, l); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBad, err)
		}
	}
	slices.SortFunc(a.entries, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	if err := checkPlaces(r, start, z.File); err != nil {
		return nil, err
	}
	return a, nil
}

// checkEnd finds the end of the directory at the very end, and returns where it starts: an
// archive has no comment, nothing comes after it, and it is small enough to need no zip64.
func checkEnd(r io.ReaderAt, size int64, l Limits) (start int64, err error) {
	var end [endBytes]byte
	if size < endBytes {
		return 0, fmt.Errorf("%w: %d bytes are none", ErrBad, size)
	}
	if _, err := r.ReadAt(end[:], size-endBytes); err != nil {
		return 0, fmt.Errorf("read archive: %w", err)
	}
	field := func(at, n int) int64 {
		var b [8]byte
		copy(b[:], end[at:at+n])
		return int64(binary.LittleEndian.Uint64(b[:])) //nolint:gosec // of at most four bytes
	}
	count := field(10, 2)
	start = field(16, 4)
	switch {
	case field(0, 4) != endRecord:
		return 0, fmt.Errorf("%w: it does not end as a zip archive does", ErrBad)
	case field(20, 2) != 0:
		return 0, fmt.Errorf("%w: it has a comment", ErrBad)
	case field(4, 2) != 0 || field(6, 2) != 0 || field(8, 2) != count:
		return 0, fmt.Errorf("%w: it is a part of several", ErrBad)
	case count > MaxFiles || count > int64(l.Files):
		return 0, fmt.Errorf("%w: %d files and folders, at most %d", ErrBad, count, min(l.Files, MaxFiles))
	case start+field(12, 4) != size-endBytes:
		return 0, fmt.Errorf("%w: its directory is not where it says", ErrBad)
	}
	return start, nil
}

// take takes in one entry of the directory.
func (a *Archive) take(f *zip.File, seen names, l Limits) error {
	dir := strings.HasSuffix(f.Name, "/")
	e := Entry{Name: strings.TrimSuffix(f.Name, "/"), Dir: dir, Exec: f.Mode()&0o111 != 0}
	if err := CheckName(e.Name); err != nil {
		return err
	}
	if err := seen.add(e.Name, dir); err != nil {
		return err
	}
	mode := f.Mode()
	switch {
	case dir && mode.Type() != fs.ModeDir, !dir && mode.Type() != 0:
		return fmt.Errorf("%.80q is neither a file nor a folder (%s)", e.Name, mode.Type())
	case f.Flags&flagEncrypted != 0:
		return fmt.Errorf("%.80q is encrypted", e.Name)
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return fmt.Errorf("%.80q is packed by method %d: want store or deflate", e.Name, f.Method)
	case f.Method == zip.Store && f.CompressedSize64 != f.UncompressedSize64:
		return fmt.Errorf("%.80q has two sizes", e.Name)
	case dir && f.UncompressedSize64 != 0:
		return fmt.Errorf("%.80q is a folder with bytes", e.Name)
	case f.UncompressedSize64 > uint64(max(0, l.Bytes)) || a.size+int64(f.UncompressedSize64) > l.Bytes: //nolint:gosec // bounded just before
		return fmt.Errorf("%.80q: all files together have more than %d bytes, the most that may be", e.Name, l.Bytes)
	}
	e.Size = int64(f.UncompressedSize64) //nolint:gosec // bounded above
	a.size += e.Size
	a.entries = append(a.entries, e)
	a.files[e.Name] = f
	return nil
}

// checkPlaces checks the headers before the bytes of entries, and that the entries fill the
// archive up to its directory, one after the other.
func checkPlaces(r io.ReaderAt, start int64, files []*zip.File) error {
	type place struct {
		from, to int64
		late     bool
	}
	places := make([]place, 0, len(files))
	for _, f := range files {
		data, err := f.DataOffset()
		if err != nil {
			return fmt.Errorf("%w: %.80q: %w", ErrBad, f.Name, err)
		}
		from, err := checkLocal(r, f, data)
		if err != nil {
			return fmt.Errorf("%w: %.80q: %w", ErrBad, f.Name, err)
		}
		if f.CompressedSize64 > uint64(start) { //nolint:gosec // not below 0
			return fmt.Errorf("%w: %.80q is longer than the archive", ErrBad, f.Name)
		}
		places = append(places, place{from, data + int64(f.CompressedSize64), f.Flags&flagDescriptor != 0}) //nolint:gosec // bounded just before
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Compare(a.from, b.from) })
	places = append(places, place{from: start})
	end, late := int64(0), false
	for _, p := range places {
		if gap := p.from - end; late && (gap < descriptorLeast || gap > descriptorMost) || !late && gap != 0 {
			return fmt.Errorf("%w: its entries overlap each other or the directory, or something is between them", ErrBad)
		}
		end, late = p.to, p.late
	}
	return nil
}

// checkLocal checks the header that stands before the bytes of f at data, and returns where
// it begins. The reader of the library passes over what it says.
func checkLocal(r io.ReaderAt, f *zip.File, data int64) (from int64, err error) {
	head := make([]byte, localBytes)
	// Between the header and the bytes are the name, and perhaps fields of other programs: it
	// is looked for from the shortest on.
	for extra := int64(0); extra <= maxExtra; extra++ {
		at := data - extra - int64(len(f.Name)) - localBytes
		if at < 0 {
			break
		}
		if _, err := r.ReadAt(head, at); err != nil {
			return 0, err
		}
		if binary.LittleEndian.Uint32(head) == localHeader && int64(binary.LittleEndian.Uint16(head[28:])) == extra && int(binary.LittleEndian.Uint16(head[26:])) == len(f.Name) {
			return at, checkLocalFields(r, f, head, at)
		}
	}
	return 0, errors.New("the header before its bytes has another name than the directory, or too much in it")
}

func checkLocalFields(r io.ReaderAt, f *zip.File, head []byte, at int64) error {
	name := make([]byte, len(f.Name))
	if _, err := r.ReadAt(name, at+localBytes); err != nil {
		return err
	}
	flags, method := binary.LittleEndian.Uint16(head[6:]), binary.LittleEndian.Uint16(head[8:])
	sum, packed, size := binary.LittleEndian.Uint32(head[14:]), binary.LittleEndian.Uint32(head[18:]), binary.LittleEndian.Uint32(head[22:])
	late := flags&flagDescriptor != 0 && sum == 0 && packed == 0 && size == 0
	same := sum == f.CRC32 && uint64(packed) == f.CompressedSize64 && uint64(size) == f.UncompressedSize64
	if string(name) != f.Name || method != f.Method || flags != f.Flags || !late && !same {
		return errors.New("the header before its bytes says something else than the directory")
	}
	return nil
}

// Entries are what is in the archive, by name.
func (a *Archive) Entries() []Entry { return slices.Clone(a.entries) }

// Size is how many bytes all files have, unpacked.
func (a *Archive) Size() int64 { return a.size }

// Verify reads all files, and reports whether they are as their entries say: what a later
// [Archive.Extract] would find out with some of them written.
func (a *Archive) Verify(ctx context.Context) error {
	for _, e := range a.entries {
		if e.Dir {
			continue
		}
		from, err := a.File(e.Name)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, &reader{ctx, from})
		if err = errors.Join(err, from.Close()); err != nil {
			return err
		}
	}
	return nil
}

// File reads a file of the archive. Reading ends with [ErrBad] where it is not as its entry
// says.
func (a *Archive) File(name string) (io.ReadCloser, error) {
	f, ok := a.files[name]
	if !ok || strings.HasSuffix(f.Name, "/") {
		return nil, fmt.Errorf("open %.80q in archive: %w", name, fs.ErrNotExist)
	}
	from, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("%w: %.80q: %w", ErrBad, name, err)
	}
	return &exact{ReadCloser: from, name: name, left: int64(f.UncompressedSize64)}, nil //nolint:gosec // bounded when it was opened
}

// exact reads as many bytes as there are to be, and whether there are more.
type exact struct {
	io.ReadCloser
	name string
	left int64
}

// Read implements [io.Reader].
func (e *exact) Read(p []byte) (int, error) {
	n, err := e.ReadCloser.Read(p)
	if e.left -= int64(n); e.left < 0 {
		return 0, fmt.Errorf("%w: %.80q is longer than it says", ErrBad, e.name)
	}
	switch {
	case errors.Is(err, io.EOF) && e.left > 0:
		err = fmt.Errorf("%w: %.80q is shorter than it says", ErrBad, e.name)
	case err != nil && !errors.Is(err, io.EOF):
		err = fmt.Errorf("%w: %.80q: %w", ErrBad, e.name, err)
	}
	return n, err
}
