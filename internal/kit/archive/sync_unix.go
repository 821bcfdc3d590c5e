//go:build unix

package archive

import "os"

func syncDir(d *os.File) error { return d.Sync() }
