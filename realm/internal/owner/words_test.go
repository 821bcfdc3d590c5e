package owner

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// The test vectors of BIP-39 with 256 bits (github.com/trezor/python-mnemonic).
var vectors = map[string]string{
	"0000000000000000000000000000000000000000000000000000000000000000": strings.Repeat("abandon ", 23) + "art",
	"7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f": "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth title",
	"8080808080808080808080808080808080808080808080808080808080808080": "letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic bless",
	"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff": strings.Repeat("zoo ", 23) + "vote",
	"68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c": "hamster diagram private dutch cause delay private meat slide toddler razor book happy fancy gospel tennis maple dilemma loan word shrug inflict delay length",
	"9f6a2878b2520799a44ef18bc7df394e7061a224d2c33cd015b157d746869863": "panda eyebrow bullet gorilla call smoke muffin taste mesh discover soft ostrich alcohol speed nation flash devote level hobby quick inner drive ghost inside",
	"066dca1a2bb7e8a1db2832148ce9933eea0f3ac9548d793112d9a95c9407efad": "all hour make first leader extend hole alien behind guard gospel lava path output census museum junior mass reopen famous sing advance salt reform",
	"f585c11aec520db57dd353c69554b21a89b20fb0650966fa0a9d6f74fd989d8f": "void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing screen patrol group space point ten exist slush involve unfold",
}

func TestWordsAreBIP39(t *testing.T) {
	for seed, want := range vectors {
		b, err := hex.DecodeString(seed)
		if err != nil {
			t.Fatal(err)
		}
		k := ed25519.NewKeyFromSeed(b)
		words, err := Words(k)
		if err != nil || strings.Join(words, " ") != want || len(words) != WordCount {
			t.Errorf("%s: %v %v", seed, words, err)
		}
		got, err := ParseWords(want)
		if err != nil || !got.Equal(k) {
			t.Errorf("%s: read back: %v", want, err)
		}
	}
}

// People write words as they like.
func TestParseWordsForgives(t *testing.T) {
	words, err := Words(fixed)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(words, " ")
	var numbered, parens, lines strings.Builder
	for i, w := range words {
		fmt.Fprintf(&numbered, "%2d. %s\n", i+1, w)
		fmt.Fprintf(&parens, "%d) %s, ", i+1, w)
		fmt.Fprintf(&lines, "  %s\r\n\r\n", w)
	}
	for name, s := range map[string]string{
		"upper case": strings.ToUpper(text), "title": strings.ToUpper(text[:1]) + text[1:] + ".",
		"tabs": strings.ReplaceAll(text, " ", "\t"), "numbered": numbered.String(), "in brackets": parens.String(), "lines": lines.String(),
	} {
		if k, err := ParseWords(s); err != nil || !k.Equal(fixed) {
			t.Errorf("%s: %v", name, err)
		}
		if n := CountWords(s); n != WordCount {
			t.Errorf("%s: %d words", name, n)
		}
	}
}

func TestParseWordsRefuses(t *testing.T) {
	good := strings.Fields(vectors["9f6a2878b2520799a44ef18bc7df394e7061a224d2c33cd015b157d746869863"])
	with := func(i int, w string) string {
		s := slices.Clone(good)
		s[i-1] = w
		return strings.Join(s, " ")
	}
	swapped := slices.Clone(good)
	swapped[3], swapped[4] = swapped[4], swapped[3]
	for name, tt := range map[string]struct{ text, want string }{
		"nothing":        {"", "0 words, want 24"},
		"23":             {strings.Join(good[1:], " "), "23 words, want 24"},
		"25":             {strings.Join(good, " ") + " zoo", "25 words, want 24"},
		"12 that fit":    {strings.Repeat("abandon ", 11) + "about", "12 words, want 24"},
		"another word":   {with(24, "zoo"), "do not fit"},
		"swapped":        {strings.Join(swapped, " "), "do not fit"},
		"mistyped":       {with(7, "mufin"), `word 7, "mufin", is none of the list: did you mean "muffin"?`},
		"two letters":    {with(1, "pnada"), `word 1, "pnada", is none of the list: did you mean "panda"?`},
		"a longer word":  {with(2, "eyebrows"), `did you mean "eyebrow"?`},
		"the beginning":  {with(10, "disc"), `did you mean "discover"?`},
		"nothing like":   {with(5, "xqzzzw"), "see the list"},
		"very long":      {with(5, strings.Repeat("x", 1000)), "see the list"},
		"other alphabet": {with(5, "дом"), "see the list"},
		"too much":       {strings.Repeat("zoo ", MaxWords), "at most"},
	} {
		k, err := ParseWords(tt.text)
		if err == nil || k != nil || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 400 {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// FuzzParseWords: what is taken as a key is written in the same words.
func FuzzParseWords(f *testing.F) {
	for _, s := range vectors {
		f.Add(s)
	}
	f.Add("1. Zoo\n2) zoo, ZOO")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := ParseWords(text)
		if err != nil {
			return
		}
		words, err := Words(k)
		if err != nil || !slices.Equal(words, splitWords(text)) {
			t.Fatalf("%q became %q, %v", text, words, err)
		}
		if again, err := ParseWords(strings.Join(words, " ")); err != nil || !bytes.Equal(again, k) {
			t.Fatalf("%q: %v", words, err)
		}
	})
}
