//go:build race

package component

// mostParsed is what reading any component may take of memory, in bytes. Under the race detector
// pools give little back, and regular expressions take more than all else.
const mostParsed = 300 << 20
