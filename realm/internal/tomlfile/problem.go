package tomlfile

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
	// MaxShown is how many problems a person is shown at once.
	MaxShown = 20
	// MaxProblems is how many are noted: a large file may be wrong everywhere.
	MaxProblems = 100
)

func (l Problems) Error() string {
	var b strings.Builder
	for i, p := range l[:min(len(l), MaxShown)] {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.Error())
	}
	switch more := len(l) - MaxShown; {
	case len(l) >= MaxProblems:
		b.WriteString("\nand more")
	case more > 0:
		fmt.Fprintf(&b, "\nand %d more", more)
	}
	return b.String()
}

// Span is a piece of a document, in bytes.
type Span struct{ From, To int }

// Document is the text of a file, and what was found wrong with it.
type Document struct {
	name     string
	text     []byte
	Problems Problems
}

// Wrong notes a problem with the piece at s, unless there are very many already.
func (d *Document) Wrong(s Span, format string, args ...any) {
	if len(d.Problems) == MaxProblems {
		return
	}
	line, column := d.position(s.From)
	d.Problems = append(d.Problems, Problem{File: d.name, Line: line, Column: column, Message: visible(fmt.Appendf(nil, format, args...)), Excerpt: d.excerpt(s)})
}

// Err is what was found wrong; nil for nothing.
func (d *Document) Err() error {
	if len(d.Problems) == 0 {
		return nil
	}
	slices.SortStableFunc(d.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return d.Problems
}

// position is the line and column of a byte, both from 1.
func (d *Document) position(at int) (line, column int) {
	before := d.text[:at]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte{'\n'}) + 1, utf8.RuneCount(before[start:]) + 1
}

// Where names the place of a byte as compilers do.
func (d *Document) Where(at int) string {
	line, column := d.position(at)
	return fmt.Sprintf("%s:%d:%d", d.name, line, column)
}

// offset is the byte at a line and a column in bytes, as go-toml counts them.
func (d *Document) offset(line, column int) int {
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
func (d *Document) excerpt(s Span) string {
	start := bytes.LastIndexByte(d.text[:s.From], '\n') + 1
	end := len(d.text)
	if i := bytes.IndexByte(d.text[s.From:], '\n'); i >= 0 {
		end = s.From + i
	}
	to := max(s.From, min(s.To, end))
	before := []rune(visible(last(d.text[start:s.From])))
	meant := []rune(visible(first(d.text[s.From:to])))
	after := []rune(visible(first(bytes.TrimRight(d.text[to:end], "\r"))))
	if n := len(before); n > excerptBefore {
		before = append([]rune{'…'}, before[n-excerptBefore+1:]...)
	}
	if room := excerptWidth - len(before); len(meant) > room {
		meant, after = append(meant[:room-1:room-1], '…'), nil
	} else if room -= len(meant); len(after) > room {
		after = append(after[:max(room-1, 0):max(room-1, 0)], '…')
	}
	line, _ := d.position(s.From)
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
