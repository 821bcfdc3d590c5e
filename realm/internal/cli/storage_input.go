package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/realm-mesh/realm/realm/internal/node"
)

// stdio stands for standard input, or output, in the place of a file.
const stdio = "-"

// input is a file that is read once, or again from its start where that can be done: no
// further than it went when it was opened.
type input struct {
	name string
	size int64 // bytes; -1: nobody knows
	file *os.File
	seek bool

	mu     sync.Mutex // the transport may still read for a try that has failed
	read   int64      // since it was rewound
	broken error      // the file cannot be read
}

// openInput opens a file, or standard input. The caller closes it.
func (a *app) openInput(name string) (*input, error) {
	if name == stdio {
		if a.in == nil || a.terminal() {
			return nil, errors.New("standard input is a terminal: name a file, or pipe something in: tar c FOLDER | realm storage put -")
		}
		in := &input{file: a.in, name: "standard input", size: -1}
		if fi, err := a.in.Stat(); err == nil {
			in.measure(fi)
		}
		return in, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("store file: %w", err)
	}
	in := &input{file: f, name: filepath.Base(name), size: -1}
	fi, err := f.Stat()
	if err == nil && fi.IsDir() {
		err = fmt.Errorf("%s is a folder: pack it: tar c %s | realm storage put -", name, name)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	in.measure(fi)
	return in, nil
}

// measure takes the size of a file that has one. Those of the system, in /proc for
// example, say 0 and have more.
func (in *input) measure(fi fs.FileInfo) {
	if !fi.Mode().IsRegular() || fi.Size() == 0 {
		return
	}
	if at, err := in.file.Seek(0, io.SeekCurrent); err == nil && at == 0 {
		in.seek, in.size = true, fi.Size()
	}
}

func (in *input) Close() error { return in.file.Close() }

// rewind has it read from the start. What is wrong with the file is no reason to try again.
func (in *input) rewind() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	switch {
	case in.broken != nil:
		return in.broken
	case in.read == 0:
		return nil
	case !in.seek:
		return node.ErrOnce
	}
	in.read = 0
	_, err := in.file.Seek(0, io.SeekStart)
	return err
}

// skip has the file stand where reading it would have left it: whoever shares it, such as
// the next command of a shell's group, goes on there.
func (in *input) skip() error {
	_, err := in.file.Seek(in.size, io.SeekStart)
	return err
}

// Read implements [io.Reader].
func (in *input) Read(b []byte) (int, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.size >= 0 {
		if b = b[:min(int64(len(b)), in.size-in.read)]; len(b) == 0 {
			return 0, io.EOF
		}
	}
	n, err := in.file.Read(b)
	in.read += int64(n)
	switch {
	case errors.Is(err, io.EOF) && in.size >= 0 && in.read < in.size:
		err = fmt.Errorf("%s got shorter while it was read", in.name)
		in.broken = err
	case err != nil && !errors.Is(err, io.EOF):
		in.broken = err
	}
	return n, err
}
