package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store/indexfile"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
)

// extOld is how the index of a whole blob ended when indexes were JSON. Then a partial
// one ended as it does now.
const extOld = ".json"

// migrate writes the index of blob d anew if it is JSON, as what indexes are now, and returns the
// path of the file that counts; "": none. The chunks lie where they lay.
func (s *Store) migrate(ctx context.Context, path string, d api.Digest) (string, error) {
	b, err := readOld(path)
	if b == nil || err != nil {
		return path, err
	}
	ext := filepath.Ext(path)
	base := strings.TrimSuffix(path, ext)
	to := path
	if ext == extOld {
		to = base + extWhole
	}
	var idx api.BlobIndex
	err = api.Decode(b, api.MaxBlobIndex, &idx)
	if err == nil && idx.SHA256 != d {
		err = fmt.Errorf("it is about blob %s", idx.SHA256.Short())
	}
	if err != nil {
		return "", s.retire(path, err)
	}
	if err := s.rewrite(ctx, idx, path, to); err != nil || to == path {
		return to, err
	}
	return to, os.Remove(path)
}

// readOld returns the content of an index that is JSON, else nil.
func readOld(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	first := make([]byte, 1)
	if n, _ := f.Read(first); filepath.Ext(path) != extOld && (n == 0 || first[0] != '{') {
		return nil, nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	b, err := api.ReadAll(f, api.MaxBlobIndex)
	if errors.Is(err, api.ErrTooLarge) {
		return []byte{}, nil
	}
	return b, err
}

// rewrite writes idx, of the age of the file at path, to another.
func (s *Store) rewrite(ctx context.Context, idx api.BlobIndex, path, to string) error {
	fi, err := os.Lstat(path)
	if err != nil {
		return err
	}
	from := s.tempPath()
	err = s.write(ctx, from, func(f *os.File) error {
		return errors.Join(indexfile.Write(f, idx, fi.ModTime()), f.Sync())
	})
	if err != nil {
		return err
	}
	return errors.Join(os.Chtimes(from, fi.ModTime(), fi.ModTime()), atomicfile.Rename(from, to))
}
