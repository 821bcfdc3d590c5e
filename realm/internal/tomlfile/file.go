package tomlfile

import (
	"errors"
	"fmt"
	"os"
	"unicode/utf8"

	"github.com/realm-mesh/realm/api"
)

// Read reads a file of at most most bytes. what is the word for it: "manifest".
func Read(path, what string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	defer f.Close()
	text, err := api.ReadAll(f, most)
	if errors.Is(err, api.ErrTooLarge) {
		return nil, fmt.Errorf("read %s %s: it is larger than %d KiB: make several files of it", what, path, most>>10)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", what, path, err)
	}
	return text, nil
}

// Parse reads the syntax of a file, which its problems call name. Where root is nil
// there are some: [Document.Err].
func Parse(name string, text []byte) (d *Document, root *Value) {
	d = &Document{name: name, text: text}
	if !utf8.Valid(text) {
		at := invalid(text)
		d.Wrong(Span{at, at + 1}, "this is no text in UTF-8")
		return d, nil
	}
	return d, d.parse()
}

// invalid is where text stops to be UTF-8.
func invalid(text []byte) int {
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return len(text)
}
