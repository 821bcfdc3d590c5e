package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
)

// printBlobs is a table of blobs, and a line that adds them up.
func (a *app) printBlobs(all blobsView, long bool, now time.Time) {
	for _, p := range all.Problems {
		fmt.Fprintf(a.out, "problem  %s\n", p)
	}
	if len(all.Blobs) == 0 {
		fmt.Fprintln(a.out, "No blobs yet: realm storage put FILE, or realm push")
		return
	}
	rows := [][]string{{"BLOB", "SIZE", "HERE", "USED", "COPIES", "KEPT FOR"}}
	var here, elsewhere int
	var size int64
	for _, b := range all.Blobs {
		name := b.SHA256.Short()
		if long {
			name = b.SHA256.String()
		}
		rows = append(rows, []string{name, sizeText(b.Size), b.hereText(), ageText(now, b.Used), b.copiesText(), b.whyText()})
		if b.Here {
			here, size = here+1, size+b.Has
		} else {
			elsewhere++
		}
	}
	table(a.out, rows)
	text := fmt.Sprintf("%s, %s, on this node", plural(here, "blob"), sizeText(size))
	if elsewhere > 0 {
		text += fmt.Sprintf("; %d on others", elsewhere)
	}
	fmt.Fprintf(a.out, "\n%s\n", text)
}

// hereText is how much of a blob is on the node.
func (b blobView) hereText() string {
	switch {
	case b.Damaged:
		return "damaged"
	case b.Whole:
		return "whole"
	case !b.Here:
		return "-"
	}
	return percentText(b.Has, b.Size)
}

// percentText is a part of something; it is 100 % only where nothing is missing.
func percentText(part, of int64) string {
	if of <= 0 {
		return "0 %"
	}
	percent := int(float64(part) / float64(of) * 100)
	switch {
	case part > 0 && percent == 0:
		return "<1 %"
	case part < of:
		percent = min(percent, 99)
	}
	return fmt.Sprintf("%d %%", percent)
}

func (b blobView) copiesText() string {
	if b.Copies == 0 {
		return "-"
	}
	return fmt.Sprint(b.Copies)
}

// maxWhy is how many reasons a table gives.
const maxWhy = 3

// whyText is what a blob is kept for.
func (b blobView) whyText() string {
	var why []string
	for i, r := range b.Refs {
		if i == maxWhy {
			why = append(why, fmt.Sprintf("%d more", len(b.Refs)-maxWhy))
			break
		}
		why = append(why, r.String())
	}
	if b.Pinned {
		why = append(why, "pinned here")
	}
	return orElse(strings.Join(why, ", "), "cached")
}

// printBlob is all there is to say of one blob.
func (a *app) printBlob(v detailView, now time.Time) {
	row := func(name, text string) { fmt.Fprintf(a.out, "%-8s  %s\n", name, text) }
	row("sha256", v.SHA256.String())
	if v.Here || len(v.Refs) > 0 {
		row("size", fmt.Sprintf("%s (%d bytes)", sizeText(v.Size), v.Size))
	}
	row("here", v.placeText(now))
	name := "kept for"
	for _, r := range v.Refs {
		row(name, r.String())
		name = ""
	}
	switch {
	case v.Pinned:
		row(name, "pinned here: realm storage unpin "+v.SHA256.Short()+" --local")
	case len(v.Refs) == 0:
		row(name, "nothing: it is cached, and goes when room is wanted")
	}
	switch c := v.Members; {
	case c == nil: // why is among the problems
	case !c.Needed:
		row("copies", c.found())
	default:
		row("copies", c.text())
		for _, line := range c.missing() {
			row("", line)
		}
	}
	for _, p := range v.Problems {
		row("problem", p)
	}
}

// placeText is how a blob stands on this node.
func (v detailView) placeText(now time.Time) string {
	if !v.Here {
		return "no: realm storage get brings it"
	}
	parts := []string{v.hereText()}
	switch {
	case v.Damaged:
		parts[0] = "damaged: realm storage verify brings sound bytes from other members"
	case !v.Whole:
		parts[0] = fmt.Sprintf("%s of it", percentText(v.Has, v.Size))
	}
	if len(v.Refs) > 0 {
		keeper := "kept here for the realm"
		if !v.Keeper {
			keeper = "kept for the realm by others"
		}
		parts = append(parts, keeper)
	}
	for _, t := range []struct {
		word string
		at   time.Time
	}{{"added", v.Added}, {"used", v.Used}} {
		if !t.at.IsZero() {
			parts = append(parts, fmt.Sprintf("%s %s ago", t.word, ageText(now, t.at)))
		}
	}
	return strings.Join(parts, ", ")
}

// barText is a share of something as a bar of so many characters.
func barText(part, of int64, width int) string {
	full := 0
	if of > 0 {
		full = int(min(float64(part)/float64(of), 1) * float64(width))
	}
	return "[" + strings.Repeat("#", full) + strings.Repeat("-", width-full) + "]"
}

// usageRows are how full a store is, a line each.
func usageRows(s api.StorageStatus, now time.Time) [][2]string {
	rows := [][2]string{{"store", s.Dir}, {"blobs", blobsText(s)}}
	stored := sizeText(s.Stored)
	if s.Quota > 0 {
		stored = fmt.Sprintf("%s of %s  %s %s", stored, sizeText(s.Quota), barText(s.Stored, s.Quota, 20), percentText(s.Stored, s.Quota))
	}
	rows = append(rows, [2]string{"stored", stored})
	if saved := s.Logical - s.Stored; saved > 0 {
		rows = append(rows, [2]string{"shared", fmt.Sprintf("%s more, if blobs had no parts in common", sizeText(saved))})
	}
	rows = append(rows,
		[2]string{"needed", sizeText(s.Needed) + ": kept for the realm, pinned here or in use"},
		[2]string{"cached", sizeText(s.Cached) + ": goes when room is wanted, the least recently used first"},
		[2]string{"disk", sizeText(s.DiskFree) + " free"})
	checked := "never yet, from end to end"
	if !s.ScrubbedAt.IsZero() {
		checked = ageText(now, s.ScrubbedAt) + " ago, every byte"
	}
	rows = append(rows, [2]string{"checked", checked})
	if s.Damaged > 0 {
		rows = append(rows, [2]string{"damaged", plural(int(s.Damaged), "blob") + ", to be mended from other members: realm storage verify does it now"})
	}
	if s.Full {
		rows = append(rows, [2]string{"full", "it takes nothing more for the realm: free some of the disk, raise storage_quota_mb, or see realm storage gc"})
	}
	return rows
}

func blobsText(s api.StorageStatus) string {
	text := fmt.Sprint(s.Blobs)
	if s.Partial > 0 {
		text += fmt.Sprintf(", and parts of %d", s.Partial)
	}
	return text + fmt.Sprintf(", in %s", plural(int(s.Chunks), "chunk"))
}
