package manifest

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Problem is something wrong with a file, and where.
type Problem struct {
	File         string // as a person called it
	Line, Column int    // from 1; columns are characters
	Message      string // what is wrong, and what to do
	Excerpt      string // the line, and under it what is meant, as lines for people
}

func (p Problem) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s\n%s", p.File, p.Line, p.Column, p.Message, p.Excerpt)
}

// Problems are all that is wrong with a file, in the order of its lines.
type Problems []Problem

const (
	// maxShown is how many problems a person is shown at once.
	maxShown = 20
	// maxProblems is how many are noted: a large file may be wrong everywhere.
	maxProblems = 100
)

func (l Problems) Error() string {
	var b strings.Builder
	for i, p := range l[:min(len(l), maxShown)] {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.Error())
	}
	switch more := len(l) - maxShown; {
	case len(l) >= maxProblems:
		b.WriteString("\nand more")
	case more > 0:
		fmt.Fprintf(&b, "\nand %d more", more)
	}
	return b.String()
}

// span is a piece of a document, in bytes.
type span struct{ from, to int }

// document is the text of a file, and what was found wrong with it.
type document struct {
	name     string
	text     []byte
	problems Problems
}

// wrong notes a problem with the piece at s, unless there are very many already.
func (d *document) wrong(s span, format string, args ...any) {
	if len(d.problems) == maxProblems {
		return
	}
	line, column := d.position(s.from)
	d.problems = append(d.problems, Problem{File: d.name, Line: line, Column: column, Message: visible(fmt.Appendf(nil, format, args...)), Excerpt: d.excerpt(s)})
}

// err is what was found wrong; nil for nothing.
func (d *document) err() error {
	if len(d.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(d.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return d.problems
}

// position is the line and column of a byte, both from 1.
func (d *document) position(at int) (line, column int) {
	before := d.text[:at]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte{'\n'}) + 1, utf8.RuneCount(before[start:]) + 1
}

// where names the place of a byte as compilers do.
func (d *document) where(at int) string {
	line, column := d.position(at)
	return fmt.Sprintf("%s:%d:%d", d.name, line, column)
}

// offset is the byte at a line and a column in bytes, as go-toml counts them.
func (d *document) offset(line, column int) int {
	at := 0
	for ; line > 1; line-- {
		next := bytes.IndexByte(d.text[at:], '\n')
		if next < 0 {
			break
		}
		at += next + 1
	}
	return min(at+column-1, len(d.text))
}

// Room for the text of a line in an excerpt, in characters: around what is meant.
const (
	excerptBefore = 60
	excerptWidth  = 100
)

// excerpt shows the line of s with carets under the part of s that is on it.
func (d *document) excerpt(s span) string {
	start := bytes.LastIndexByte(d.text[:s.from], '\n') + 1
	end := len(d.text)
	if i := bytes.IndexByte(d.text[s.from:], '\n'); i >= 0 {
		end = s.from + i
	}
	to := max(s.from, min(s.to, end))
	before := []rune(visible(last(d.text[start:s.from])))
	meant := []rune(visible(first(d.text[s.from:to])))
	after := []rune(visible(first(bytes.TrimRight(d.text[to:end], "\r"))))
	if n := len(before); n > excerptBefore {
		before = append([]rune{'…'}, before[n-excerptBefore+1:]...)
	}
	if room := excerptWidth - len(before); len(meant) > room {
		meant, after = append(meant[:room-1:room-1], '…'), nil
	} else if room -= len(meant); len(after) > room {
		after = append(after[:max(room-1, 0):max(room-1, 0)], '…')
	}
	line, _ := d.position(s.from)
	number := fmt.Sprintf("%4d", line)
	return fmt.Sprintf("%s | %s\n%*s | %s%s", number, string(before)+string(meant)+string(after),
		len(number), "", strings.Repeat(" ", len(before)), strings.Repeat("^", max(len(meant), 1)))
}

// excerptBytes hold more characters than an excerpt shows, whatever they are.
const excerptBytes = utf8.UTFMax * (excerptWidth + 1)

// first and last are so much of b as an excerpt may show.
func first(b []byte) []byte { return b[:min(len(b), excerptBytes)] }

func last(b []byte) []byte { return b[max(len(b)-excerptBytes, 0):] }

// visible replaces what would move the cursor of a terminal: one character for one.
func visible(b []byte) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0:
			return utf8.RuneError
		}
		return r
	}, string(b))
}
