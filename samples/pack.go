//go:build ignore

// Pack writes a folder into a tar archive, the same each time: sorted, and without times
// or owners.
package main

import (
	"archive/tar"
	"compress/gzip"
	"io/fs"
	"log"
	"os"
	"path"
	"path/filepath"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: pack FOLDER FILE.tar.gz")
	}
	if err := pack(os.Args[1], os.Args[2]); err != nil {
		log.Fatal("pack: ", err)
	}
}

func pack(folder, file string) error {
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	z := gzip.NewWriter(out)
	t := tar.NewWriter(z)
	root := os.DirFS(folder)
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error { // in order
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		h := &tar.Header{Name: path.Join(filepath.Base(folder), name), Mode: 0o644, Size: int64(len(b)), Format: tar.FormatUSTAR}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		_, err = t.Write(b)
		return err
	})
	if err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return out.Close()
}
