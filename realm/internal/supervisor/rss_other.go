//go:build !linux

package supervisor

// rss is not told by this system without further ado.
func rss(int) int64 { return 0 }
