package manifest

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

// keys are those of a table, each with what reads its value.
type keys map[string]func(field)

// table reads f by known. where names the table to people. Keys that are not known
// are problems.
func (d *document) table(f field, where string, known keys) {
	if !d.is(f, kindTable) {
		return
	}
	words := slices.Sorted(maps.Keys(known))
	for _, in := range f.fields {
		read, ok := known[in.key]
		if !ok {
			d.wrong(in.at, "unknown key %q in %s: %s", clip(in.key), where, didYouMean(in.key, words))
			continue
		}
		read(in)
	}
}

// is reports whether f is of a kind; a problem says it is not.
func (d *document) is(f field, want unstable.Kind) bool {
	if f.kind == want {
		return true
	}
	hint := ""
	switch {
	case want == unstable.String && (f.kind == unstable.Integer || f.kind == unstable.Float || f.kind == unstable.Bool):
		hint = ": put it in quotes"
	case (want == unstable.Integer || want == unstable.Bool) && f.kind == unstable.String:
		hint = ": write it without quotes"
	case want == kindArray:
		hint = ": put it in brackets, [ and ]"
	}
	d.wrong(f.value.at, "%s: want %s, not %s%s", clip(f.key), kindWords[want], f.what, hint)
	return false
}

func (d *document) str(f field) (string, bool) {
	return f.text, d.is(f, unstable.String)
}

func (d *document) flag(f field) (set, ok bool) {
	return f.text == "true", d.is(f, unstable.Bool)
}

// integer reads a number from 1.
func (d *document) integer(f field, most int64) (int64, bool) {
	if !d.is(f, unstable.Integer) {
		return 0, false
	}
	n, err := strconv.ParseInt(f.text, 0, 64)
	if err != nil || n < 1 || n > most {
		if most == math.MaxInt64 {
			d.wrong(f.value.at, "%s: want 1 or more", f.key)
		} else {
			d.wrong(f.value.at, "%s: want 1 to %d", f.key, most)
		}
		return 0, false
	}
	return n, true
}

// list gives the items of an array, each as a field of the array's name.
func (d *document) list(f field) []field {
	if !d.is(f, kindArray) {
		return nil
	}
	var out []field
	for _, v := range f.items {
		out = append(out, field{f.key, f.at, v})
	}
	return out
}

// strings reads a list of strings by read, which notes what is wrong with one.
func (d *document) strings(f field, read func(field, string)) {
	for _, item := range d.list(f) {
		if s, ok := d.str(item); ok {
			read(item, s)
		}
	}
}

// duration reads a time span such as "10s", more than nothing.
func (d *document) duration(f field) api.Duration {
	s, ok := d.str(f)
	if !ok {
		return 0
	}
	span, err := time.ParseDuration(s)
	if err != nil || span <= 0 {
		d.wrong(f.value.at, "%s: %q: want a time span such as \"500ms\", \"10s\" or \"5m\"", f.key, clip(s))
		return 0
	}
	return api.Duration(span)
}

// choice reads one of some words, in any case. def stands for what the wire leaves out.
func (d *document) choice(f field, def string, words ...string) string {
	s, ok := d.str(f)
	if !ok {
		return ""
	}
	switch low := strings.ToLower(s); {
	case low == def:
		return ""
	case slices.Contains(words, low):
		return low
	}
	d.wrong(f.value.at, "%s: %q: %s", f.key, clip(s), didYouMean(s, append([]string{def}, words...)))
	return ""
}

// clip shortens what a file says to what fits a message.
func clip(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		s = string(r[:most-1]) + "…"
	}
	return visible([]byte(s))
}
