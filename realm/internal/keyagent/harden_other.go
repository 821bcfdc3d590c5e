//go:build unix && !linux

package keyagent

func harden() error { return noCore() }
