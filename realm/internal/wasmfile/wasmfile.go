// Package wasmfile reads a program from its file, finds out what it is, and
// refuses early what no node can run, in words that say what it is instead.
//
// Reading looks at the first eight bytes alone ([Check]). [Module.About] reads the
// program as nodes do, with package engine, which needs nothing of a node: a component
// that lacks something, or a file that is damaged, is told of before anything is signed.
// Nodes check it all again.
package wasmfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/realm-mesh/realm/api"
)

// Module is the bytes of a program.
type Module struct {
	Bytes  []byte
	Digest api.Digest
}

// Size is in bytes.
func (m Module) Size() int64 { return int64(len(m.Bytes)) }

// Read takes the module in the file at path.
func Read(path string) (Module, error) {
	f, err := os.Open(path)
	if err != nil {
		return Module{}, fmt.Errorf("read program: %w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return Module{}, fmt.Errorf("read program: %w", err)
	}
	if fi.IsDir() {
		return Module{}, fmt.Errorf("read program: %s is a folder: name the .wasm file in it", path)
	}
	return Load(path, f)
}

// Load takes the module that r reads; name is what its errors call it.
func Load(name string, r io.Reader) (Module, error) {
	b, err := api.ReadAll(r, api.MaxModule)
	if errors.Is(err, api.ErrTooLarge) {
		return Module{}, fmt.Errorf("read program: %s is larger than %d MiB, the most that a program may have: build it without debug information (-ldflags='-s -w', wasm-opt -Os, strip)", name, api.MaxModule>>20)
	}
	if err != nil {
		return Module{}, fmt.Errorf("read program %s: %w", name, err)
	}
	if err := Check(b); err != nil {
		return Module{}, fmt.Errorf("read program: %s is %w", name, err)
	}
	return Module{b, api.Sum(b)}, nil
}

// Version words after the magic: of core modules, and of the component model.
const (
	versionCore      = 0x1
	versionComponent = 0x1000d
)

var magic = []byte("\x00asm")

// Check looks at the first eight bytes. Its errors go on after "FILE is".
func Check(b []byte) error {
	switch {
	case len(b) == 0:
		return errors.New("empty: build the program first")
	case bytes.HasPrefix(b, []byte("(module")) || bytes.HasPrefix(b, []byte("(component")):
		return errors.New("WebAssembly as text: compile it first, for example with wat2wasm")
	case !bytes.HasPrefix(b, magic[:min(len(magic), len(b))]):
		return fmt.Errorf("no WebAssembly (it begins with %s): build for wasm, for example with GOOS=wasip1 GOARCH=wasm go build", begins(b))
	case len(b) < 8:
		return errors.New("cut short: it ends within the header")
	}
	switch v := binary.LittleEndian.Uint32(b[4:]); v {
	case versionCore, versionComponent:
		return nil
	default:
		return fmt.Errorf("WebAssembly of a version that is not known (%#x): build a core module, or a component for WASI 0.2", v)
	}
}

// begins shows the first bytes to a person.
func begins(b []byte) string {
	head := string(b[:min(len(b), 8)])
	if strings.HasPrefix(head, "\x7fELF") {
		return "the header of a Linux program"
	}
	return fmt.Sprintf("%q", head)
}
