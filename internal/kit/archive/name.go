package archive

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Bounds of names.
const (
	maxName    = 1024 // bytes
	maxElement = 255
)

// reserved are names that Windows keeps for devices, whatever follows after a dot.
var reserved = []string{"CON", "PRN", "AUX", "NUL", "COM0", "COM1", "COM2", "COM3", "COM4", "COM5", "COM6", "COM7", "COM8", "COM9",
	"LPT0", "LPT1", "LPT2", "LPT3", "LPT4", "LPT5", "LPT6", "LPT7", "LPT8", "LPT9", "CONIN$", "CONOUT$"}

// CheckName reports why a file may not have this name, with slashes, in an archive: it would
// not mean the same file below a folder on every system.
func CheckName(name string) error {
	switch {
	case name == "" || len(name) > maxName:
		return fmt.Errorf("name %.80q: want 1 to %d bytes", name, maxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("name %.80q: it is no UTF-8", name)
	case !norm.NFC.IsNormalString(name):
		return fmt.Errorf("name %.80q: it is not in Unicode's normal form C: rename the file", name)
	case path.IsAbs(name) || path.Clean(name) != name || name == "." || name == ".." || strings.HasPrefix(name, "../"):
		return fmt.Errorf("name %.80q: it is no plain path below the folder", name)
	}
	for e := range strings.SplitSeq(name, "/") {
		if err := checkElement(e); err != nil {
			return fmt.Errorf("name %.80q: %w", name, err)
		}
	}
	return nil
}

func checkElement(e string) error {
	base, _, _ := strings.Cut(e, ".")
	switch {
	case len(e) > maxElement:
		return fmt.Errorf("a part of it has more than %d bytes", maxElement)
	case strings.ContainsAny(e, `<>:"|?*\`) || strings.ContainsFunc(e, unicode.IsControl):
		return fmt.Errorf("it has a character that not all systems take in a name")
	case strings.HasSuffix(e, ".") || strings.HasSuffix(e, " "):
		return fmt.Errorf("a part of it ends with a dot or a blank, which some systems drop")
	case slices.Contains(reserved, strings.ToUpper(strings.TrimRight(base, " "))):
		return fmt.Errorf("%.20q is the name of a device on Windows", base)
	}
	return nil
}

// names finds those that would be one file on some system, or a file and a folder at once.
type names map[string]string // folded -> as it was first seen, with a slash at the end for folders

// add takes in a name that is good.
func (n names) add(name string, dir bool) error {
	for up := path.Dir(name); up != "."; up = path.Dir(up) {
		if err := n.put(up, true, true); err != nil {
			return err
		}
	}
	return n.put(name, dir, false)
}

// put takes in one name; implied: something below it was named.
func (n names) put(name string, dir, implied bool) error {
	is := name
	if dir {
		is += "/"
	}
	key := fold(name)
	was, there := n[key]
	switch {
	case !there:
		n[key] = is
		if !implied {
			n[key] = is + "\x00" // named itself
		}
	case strings.TrimSuffix(was, "\x00") != is:
		return fmt.Errorf("names %.80q and %.80q are the same on some systems", strings.TrimRight(was, "/\x00"), name)
	case !implied && strings.HasSuffix(was, "\x00"):
		return fmt.Errorf("name %.80q is there twice", name)
	case !implied:
		n[key] = is + "\x00"
	}
	return nil
}

// fold is the same for names that differ only in case.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, name)
}
