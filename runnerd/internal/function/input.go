package function

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// input is the standard input that the arguments of a call mean: a string is its
// text, and any other value its JSON without spaces, so that 21 and "21" are the same.
func input(args []json.RawMessage) (string, error) {
	switch len(args) {
	case 0:
		return "", nil
	case 1:
	default:
		return "", &ArgumentError{fmt.Sprintf("%d arguments given, and it is a command, which reads one from its standard input: give one text, or one list ([…]) of several", len(args))}
	}
	raw := args[0]
	if !utf8.Valid(raw) {
		return "", &ArgumentError{"the argument is no UTF-8: send bytes as text, such as base64"}
	}
	if len(raw) == 0 || raw[0] != '"' {
		var b bytes.Buffer
		if err := json.Compact(&b, raw); err != nil {
			return "", &ArgumentError{fmt.Sprintf("%.40q is no JSON", raw)}
		}
		return b.String(), nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", &ArgumentError{fmt.Sprintf("%.40q is no JSON", raw)}
	}
	if half := halfPair(raw); half != "" {
		return "", &ArgumentError{fmt.Sprintf("the argument holds %s, half of a surrogate pair, which is no character", half)}
	}
	return text, nil
}

// halfPair returns the first escape in a JSON string that is half of a surrogate
// pair, which encoding/json reads as U+FFFD; "": there is none.
func halfPair(s []byte) string {
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			continue
		}
		r, ok := escape(s[i:])
		if !ok {
			i++ // \n, \\ and the like
			continue
		}
		next, _ := escape(s[i+escapeLen:])
		switch {
		case !utf16.IsSurrogate(r):
			i += escapeLen - 1
		case utf16.DecodeRune(r, next) == utf8.RuneError:
			return string(s[i : i+escapeLen])
		default:
			i += 2*escapeLen - 1
		}
	}
	return ""
}

const escapeLen = len(`\u1234`)

// escape is the character that s begins with as \u1234.
func escape(s []byte) (rune, bool) {
	if len(s) < escapeLen || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s[2:escapeLen]), 16, 16)
	return rune(n), err == nil
}
