package owner

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/tyler-smith/go-bip39"
)

// WordCount is how many words an owner key is written in.
const WordCount = 24

// MaxWords is the most bytes of words that are read.
const MaxWords = 4 << 10

// Words writes the key in 24 English words: BIP-39 of its 32-byte Ed25519 seed,
// the last word holding the checksum. They are all that is needed to make it again.
func Words(k ed25519.PrivateKey) ([]string, error) {
	text, err := bip39.NewMnemonic(k.Seed())
	if err != nil {
		return nil, fmt.Errorf("write key in words: %w", err)
	}
	return strings.Fields(text), nil
}

// ParseWords reads the 24 words of a key as people write them down: in upper or
// lower case, over any number of lines, with or without numbers before them.
func ParseWords(text string) (ed25519.PrivateKey, error) {
	if len(text) > MaxWords {
		return nil, fmt.Errorf("read words: %d bytes, at most %d", len(text), MaxWords)
	}
	words := splitWords(text)
	if err := checkWords(words); err != nil {
		return nil, fmt.Errorf("read words: %w", err)
	}
	seed, err := bip39.EntropyFromMnemonic(strings.Join(words, " "))
	if errors.Is(err, bip39.ErrChecksumIncorrect) {
		return nil, errors.New("read words: every word is one of the list, but together they do not fit: one of them is another one, or two have changed places; compare them with what you wrote down")
	}
	if err != nil {
		return nil, fmt.Errorf("read words: %w", err)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// splitWords leaves out what only orders the words: blanks, commas, "7." and "7)".
func splitWords(text string) []string {
	var words []string
	for _, w := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return strings.ContainsRune(" \t\r\n,;.)", r) }) {
		if strings.Trim(w, "0123456789") != "" {
			words = append(words, w)
		}
	}
	return words
}

// CountWords tells how many words text has.
func CountWords(text string) int { return len(splitWords(text)) }

func checkWords(words []string) error {
	for i, w := range words {
		if _, ok := bip39.GetWordIndex(w); ok {
			continue
		}
		hint := "see the list of BIP-39"
		if like := nearest(w); like != "" {
			hint = fmt.Sprintf("did you mean %q?", like)
		}
		return fmt.Errorf("word %d, %.40q, is none of the list: %s", i+1, w, hint)
	}
	if len(words) != WordCount {
		return fmt.Errorf("%d words, want %d", len(words), WordCount)
	}
	return nil
}

const (
	uniqueLetters = 4 // no two words of the list begin with the same four
	longestWord   = 8
)

// nearest is the word of the list that was most likely meant by w; "" for none.
func nearest(w string) string {
	if len(w) > 2*longestWord {
		return ""
	}
	best, least := "", 3 // more changes make another word of it
	for _, s := range bip39.GetWordList() {
		d := levenshtein.Distance(w, s, nil)
		if len(w) >= uniqueLetters && strings.HasPrefix(s, w[:uniqueLetters]) {
			d = 0
		}
		if d < least {
			best, least = s, d
		}
	}
	return best
}
