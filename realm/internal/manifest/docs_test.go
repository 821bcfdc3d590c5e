package manifest

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const reference = "../../../docs/MANIFEST.md"

// Every example of the reference is a manifest.
func TestExamples(t *testing.T) {
	page, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllSubmatch(page, -1)
	if len(examples) < 3 {
		t.Fatalf("%d examples", len(examples))
	}
	for _, e := range examples {
		if _, err := Parse("docs/MANIFEST.md", ".", e[1]); err != nil {
			t.Error(err)
		}
	}
}

// The reference has a row for every key, and no others.
func TestEveryKeyIsDocumented(t *testing.T) {
	page, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	for heading, text := range map[string]string{
		"## The file":    "zzzzzzzzzzz = 1\n[components]",
		"## A component": "[components.a]\nsource = 'x'\nzzzzzzzzzzz = 1",
		"### mounts":     "[components.a]\nsource = 'x'\nmounts = [{ zzzzzzzzzzz = 1 }]",
		"### ports":      "[components.a]\nsource = 'x'\nports = [{ zzzzzzzzzzz = 1 }]",
		"### health":     "[components.a]\nsource = 'x'\nhealth = { zzzzzzzzzzz = 1 }",
		"### update":     "[components.a]\nsource = 'x'\nupdate = { zzzzzzzzzzz = 1 }",
		"### route":      "[components.a]\nsource = 'x'\nroute = { zzzzzzzzzzz = 1 }",
	} {
		_, section, ok := strings.Cut(string(page), "\n"+heading+"\n")
		section, _, _ = strings.Cut(section, "\n#")
		var documented []string
		for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(section, -1) {
			documented = append(documented, row[1])
		}
		slices.Sort(documented)
		known := knownKeys(t, text)
		if !ok || !slices.Equal(documented, known) {
			t.Errorf("%s: documented %v, known %v", heading, documented, known)
		}
	}
}

// knownKeys are those that the error about an unknown key names.
func knownKeys(t *testing.T, text string) []string {
	t.Helper()
	_, err := Parse("realm.toml", ".", []byte(text))
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatalf("%s: %v", text, err)
	}
	for _, p := range problems {
		if _, words, ok := strings.Cut(p.Message, "want one of "); ok {
			return strings.Split(words, ", ")
		}
	}
	t.Fatalf("%s: %v", text, err)
	return nil
}
