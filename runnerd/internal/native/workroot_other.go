//go:build !linux

package native

func needsPassing(Confinement) bool { return false }
func trusted(string) error          { return nil }
