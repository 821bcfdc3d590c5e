package api

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// JobID is the id of the nth job of that name: "build-1".
func JobID(base Name, n int) Name { return Name(fmt.Sprintf("%s-%d", base, n)) }

// markLen is how many digits a mark has.
const markLen = 4

// MarkedJobID is the id of the nth job of that name as a node gives it that cannot ask
// all others: "build-1-3fa2". The mark follows from its peer id, so that two nodes that
// do not hear each other give two ids.
func MarkedJobID(base Name, n int, by PeerID) Name {
	return JobID(base, n) + "-" + Name(mark(by))
}

// mark is the first four hex digits in a row of the SHA-256 of p that have a letter
// among them: without one, a mark would look like the number of a job.
func mark(p PeerID) string {
	sum := sha256.Sum256([]byte(p))
	digits := hex.EncodeToString(sum[:])
	for len(digits) > markLen && !isMark(digits[:markLen]) {
		digits = digits[1:]
	}
	return digits[:markLen]
}

func isMark(s string) bool {
	return len(s) == markLen && strings.Trim(s, "0123456789abcdef") == "" && strings.ContainsAny(s, "abcdef")
}

// SplitJobID takes number and mark off an id: both build-12 and build-12-3fa2 are build
// and 12. What follows "~", which tells jobs of one id apart, is left out of account. It
// is false for what is no id.
func SplitJobID(id Name) (base Name, number int, ok bool) {
	text, _, _ := strings.Cut(string(id), "~")
	if i := strings.LastIndexByte(text, '-'); i > 0 && isMark(text[i+1:]) {
		text = text[:i]
	}
	i := strings.LastIndexByte(text, '-')
	if i <= 0 {
		return id, 0, false
	}
	number, err := strconv.Atoi(text[i+1:])
	if err != nil || number < 1 || string(JobID(Name(text[:i]), number)) != text {
		return id, 0, false
	}
	return Name(text[:i]), number, true
}
