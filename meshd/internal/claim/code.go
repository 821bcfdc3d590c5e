package claim

import (
	"crypto/rand"
	"crypto/subtle"
	"strings"
)

// alphabet leaves out characters that look like others: 0 and O, 1, I and L, U and V.
const alphabet = "23456789ABCDEFGHJKMNPQRSTVWXYZ"

// A code is shown as two groups of five characters.
const (
	codeLen   = 10
	groupLen  = codeLen / 2
	unbiased  = 256 - 256%len(alphabet)
	separator = "-"
)

// newCode draws a code.
func newCode() string {
	var code []byte
	for len(code) < codeLen {
		var b [1]byte
		rand.Read(b[:])
		if int(b[0]) < unbiased {
			code = append(code, alphabet[int(b[0])%len(alphabet)])
		}
	}
	return string(code[:groupLen]) + separator + string(code[groupLen:])
}

// normal is a code as a person may have typed it, without what does not matter.
func normal(code string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToUpper(code))
}

// equal compares codes in a time that says nothing about where they differ.
func equal(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(normal(a)), []byte(normal(b))) == 1
}
