package httpshape

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Components for tests are small, and every one of text was built.
func TestComponentsAreKept(t *testing.T) {
	const most, mostOfAll = 300 << 10, 2 << 20
	total, texts := int64(0), 0
	err := filepath.WalkDir("../testdata", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if source, isText := strings.CutSuffix(path, ".wat"); isText {
			texts++
			if _, err := os.Stat(source + ".wasm"); err != nil {
				t.Errorf("%s was not built: %v", path, err)
			}
		}
		if !strings.HasSuffix(path, ".wasm") {
			return nil
		}
		begin, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !strings.HasPrefix(string(begin), "\x00asm\x0d\x00\x01\x00") {
			t.Errorf("%s is no component", path)
		}
		if len(begin) > most {
			t.Errorf("%s has %d bytes, more than %d", path, len(begin), most)
		}
		total += int64(len(begin))
		return nil
	})
	if err != nil || total > mostOfAll || texts < 15 {
		t.Errorf("%d texts, %d bytes of components, %v", texts, total, err)
	}
}
