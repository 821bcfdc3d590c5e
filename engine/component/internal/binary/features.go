package binary

import (
	"slices"
	"strings"
)

// Features that came after WASI 0.2, or that no engine has in full.
const (
	async        = "async functions"
	streams      = "streams"
	futures      = "futures"
	errorContext = "error contexts"
	threads      = "threads"
	values       = "values and start functions"
	fixedLists   = "lists of fixed length"
	maps         = "maps"
	wideMemories = "64-bit memories"
	shared       = "shared memories"
	pageSizes    = "custom page sizes"
	gc           = "garbage collected types"
	tags         = "exceptions"
)

// need notes that the component needs a feature that there is not, as the byte that was read
// last says. Reading goes on.
func (d *decoder) need(feature string) {
	if d.err != nil || slices.Contains(d.missing, feature) {
		return
	}
	if len(d.missing) == 0 {
		d.firstMissing = d.here() - 1
	}
	d.missing = append(d.missing, feature)
}

// skip is need for what cannot be read: the rest of the section is left out.
func (d *decoder) skip(feature string) {
	if d.err != nil {
		return
	}
	d.need(feature)
	d.fail("what is not supported: %s", feature)
	d.err.skip = true
}

// result is what is wrong with the whole.
func (d *decoder) result() error {
	wrong := d.bad
	if wrong == nil {
		wrong = d.err
	}
	switch {
	case len(d.missing) > 0:
		e := &Error{Offset: d.firstMissing, Missing: d.missing,
			Reason: "it needs what is not supported: " + strings.Join(d.missing, ", ")}
		if wrong != nil {
			e.Cause = wrong
		}
		return e
	case wrong != nil:
		return wrong
	}
	return nil
}
