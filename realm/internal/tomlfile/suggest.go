package tomlfile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// DidYouMean ends a message about a word that is none of known: with the nearest of
// them, if one is near, else with all of them.
func DidYouMean(word string, known []string) string {
	if like := nearest(word, known); like != "" {
		return fmt.Sprintf("did you mean %q?", like)
	}
	return "want one of " + strings.Join(known, ", ")
}

// nearest is the word of known that was most likely meant; "" for none.
func nearest(word string, known []string) string {
	word = strings.ToLower(word)
	if len(word) > 64 {
		return ""
	}
	best, least := "", 0
	for _, k := range slices.Sorted(slices.Values(known)) {
		// A third of the letters may be wrong; two of any word may have changed places.
		most := max(1, len(k)/3)
		d := levenshtein.Distance(word, k, nil)
		if d == 2 && letters(word) == letters(k) {
			d = 1
		}
		if len(word) >= 3 && (strings.HasPrefix(k, word) || strings.HasPrefix(word, k)) {
			d = 1
		}
		if d <= most && d < len(k) && (best == "" || d < least) {
			best, least = k, d
		}
	}
	return best
}

// letters are those of a word, in their order.
func letters(word string) string {
	r := []rune(word)
	slices.Sort(r)
	return string(r)
}
