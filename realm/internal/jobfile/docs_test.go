package jobfile

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/realm/internal/tomlfile"
)

const manual = "../../../docs/JOBS.md"

// The manual tells of each key that the reader knows, in the table that it belongs to, and
// of no other.
func TestManualTellsKeys(t *testing.T) {
	b, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	_, file, _ := strings.Cut(string(b), "\n## The file\n")
	file, _, _ = strings.Cut(file, "\n## ")
	r := &reader{}
	for title, keys := range map[string]tomlfile.Keys{"": r.topKeys(), "[runtime]": r.runtimeKeys(), "[execution]": r.executionKeys(), "[targeting]": r.targetingKeys()} {
		part := file
		if title != "" {
			if _, part, _ = strings.Cut(file, "\n### "+title+"\n"); part == "" {
				t.Fatalf("%s has no section %s", manual, title)
			}
		}
		part, _, _ = strings.Cut(part, "\n### ")
		told := map[string]bool{}
		for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]+) \\|").FindAllStringSubmatch(part, -1) {
			for _, word := range regexp.MustCompile("`([a-z0-9_]+)`").FindAllStringSubmatch(row[1], -1) {
				told[word[1]] = true
				if _, known := keys[word[1]]; !known {
					t.Errorf("%s tells of a key %s %s, which is none", manual, title, word[1])
				}
			}
		}
		for k := range keys {
			table := title == "" && (k == "runtime" || k == "execution" || k == "targeting")
			if !told[k] && !table {
				t.Errorf("%s does not tell of the key %s %s", manual, title, k)
			}
		}
	}
}
