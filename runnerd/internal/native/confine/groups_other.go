//go:build !linux

package confine

// Groups are the control groups of one execution; there are none here.
type Groups struct{}
