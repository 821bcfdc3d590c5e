package manifest

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/realm-mesh/realm/api"
)

// FuzzParse reads whatever a file may hold: what it takes can be signed, and what it
// refuses is somewhere in the file.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/wrong/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(a.Files[0].Data)
	}
	f.Add([]byte(full))
	f.Add([]byte("[[components]]\n[components.a]\nsource='x'\n"))
	f.Add([]byte("components.a = [[[{}]]]\r\n\"\\u001b\" = {a.b.c=1}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := Parse("realm.toml", "dir", text)
		var problems Problems
		switch {
		case err == nil:
			checkParsed(t, m)
		case !errors.As(err, &problems) || len(problems) == 0:
			t.Fatalf("an error of another kind: %v", err)
		}
		lines := bytes.Count(text, []byte{'\n'}) + 1
		for _, p := range problems {
			if p.Line < 1 || p.Line > lines || p.Column < 1 || p.Column > len(text)+1 || p.Message == "" || bytes.ContainsAny([]byte(p.Error()), "\x1b\x00\r") {
				t.Fatalf("%d:%d of %d lines: %q", p.Line, p.Column, lines, p.Error())
			}
		}
	})
}

func checkParsed(t *testing.T, m Manifest) {
	if _, err := api.ParseName(string(m.Name)); err != nil {
		t.Fatal(err)
	}
	for i, c := range m.Components {
		if i > 0 && m.Components[i-1].Name >= c.Name {
			t.Fatalf("%s stands before %s", m.Components[i-1].Name, c.Name)
		}
		c.Body.Module.Blob, c.Body.Module.Size = api.Sum(nil), 1
		if err := errors.Join(c.Body.Validate(), c.Target.Validate()); err != nil {
			t.Fatal(err)
		}
		if c.Source.Kind == File && c.Source.Path == "" || c.Source.Kind == URL && c.Source.URL == nil || c.Source.Kind == Blob && c.Source.SHA256.IsZero() {
			t.Fatalf("source %+v", c.Source)
		}
	}
}
