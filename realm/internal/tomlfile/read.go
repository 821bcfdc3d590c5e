package tomlfile

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/realm-mesh/realm/api"
)

// Keys are those of a table, each with what reads its value.
type Keys map[string]func(Field)

// Table reads f by known. where names the table to people. Keys that are not known
// are problems.
func (d *Document) Table(f Field, where string, known Keys) {
	if !d.Is(f, KindTable) {
		return
	}
	words := slices.Sorted(maps.Keys(known))
	for _, in := range f.Fields {
		read, ok := known[in.Key]
		if !ok {
			d.Wrong(in.At, "unknown key %q in %s: %s", Clip(in.Key), where, DidYouMean(in.Key, words))
			continue
		}
		read(in)
	}
}

// Is reports whether f is of a kind; a problem says it is not.
func (d *Document) Is(f Field, want unstable.Kind) bool {
	if f.Kind == want {
		return true
	}
	hint := ""
	switch {
	case want == unstable.String && (f.Kind == unstable.Integer || f.Kind == unstable.Float || f.Kind == unstable.Bool):
		hint = ": put it in quotes"
	case (want == unstable.Integer || want == unstable.Bool) && f.Kind == unstable.String:
		hint = ": write it without quotes"
	case want == KindArray:
		hint = ": put it in brackets, [ and ]"
	}
	d.Wrong(f.Value.At, "%s: want %s, not %s%s", Clip(f.Key), kindWords[want], f.What, hint)
	return false
}

func (d *Document) Str(f Field) (string, bool) {
	return f.Text, d.Is(f, unstable.String)
}

func (d *Document) Flag(f Field) (set, ok bool) {
	return f.Text == "true", d.Is(f, unstable.Bool)
}

// Integer reads a number from 1.
func (d *Document) Integer(f Field, most int64) (int64, bool) { return d.Whole(f, 1, most) }

// Whole reads a number without a point, from least to most.
func (d *Document) Whole(f Field, least, most int64) (int64, bool) {
	if !d.Is(f, unstable.Integer) {
		return 0, false
	}
	n, err := strconv.ParseInt(f.Text, 0, 64)
	if err != nil || n < least || n > most {
		if most == math.MaxInt64 {
			d.Wrong(f.Value.At, "%s: want %d or more", f.Key, least)
		} else {
			d.Wrong(f.Value.At, "%s: want %d to %d", f.Key, least, most)
		}
		return 0, false
	}
	return n, true
}

// Number reads a number with a point or without, more than nothing and up to most.
func (d *Document) Number(f Field, most float64) (float64, bool) {
	if f.Kind != unstable.Float && !d.Is(f, unstable.Integer) {
		return 0, false
	}
	n, err := strconv.ParseFloat(strings.ReplaceAll(f.Text, "_", ""), 64)
	if err != nil || !(n > 0 && n <= most) {
		d.Wrong(f.Value.At, "%s: want a number above 0, up to %g", f.Key, most)
		return 0, false
	}
	return n, true
}

// List gives the items of an array, each as a field of the array's name.
func (d *Document) List(f Field) []Field {
	if !d.Is(f, KindArray) {
		return nil
	}
	var out []Field
	for _, v := range f.Items {
		out = append(out, Field{f.Key, f.At, v})
	}
	return out
}

// Strings reads a list of strings by read, which notes what is wrong with one.
func (d *Document) Strings(f Field, read func(Field, string)) {
	for _, item := range d.List(f) {
		if s, ok := d.Str(item); ok {
			read(item, s)
		}
	}
}

// Duration reads a time span such as "10s", more than nothing.
func (d *Document) Duration(f Field) api.Duration {
	s, ok := d.Str(f)
	if !ok {
		return 0
	}
	Span, err := time.ParseDuration(s)
	if err != nil || Span <= 0 {
		d.Wrong(f.Value.At, "%s: %q: want a time span such as \"500ms\", \"10s\" or \"5m\"", f.Key, Clip(s))
		return 0
	}
	return api.Duration(Span)
}

// Choice reads one of some words, in any case. def stands for what the wire leaves out.
func (d *Document) Choice(f Field, def string, words ...string) string {
	s, ok := d.Str(f)
	if !ok {
		return ""
	}
	switch low := strings.ToLower(s); {
	case low == def:
		return ""
	case slices.Contains(words, low):
		return low
	}
	d.Wrong(f.Value.At, "%s: %q: %s", f.Key, Clip(s), DidYouMean(s, append([]string{def}, words...)))
	return ""
}

// Clip shortens what a file says to what fits a message.
func Clip(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		s = string(r[:most-1]) + "…"
	}
	return visible([]byte(s))
}
