package wasi

import (
	"github.com/realm-mesh/realm/engine/component/wit"
	"github.com/tetratelabs/wazero/experimental/sys"
)

func filesystemFunctions() map[string]map[string]Function {
	d := func(name string) string { return "[method]descriptor." + name }
	return map[string]map[string]Function{
		"wasi:filesystem/preopens": preopenFunctions(),
		"wasi:filesystem/types": merged(map[string]Function{
			"filesystem-error-code":                               plain(fileErrorCode),
			"[method]directory-entry-stream.read-directory-entry": method(readDirectoryEntry),

			d("read-via-stream"):   with1(readViaStream),
			d("write-via-stream"):  with1(writeViaStream),
			d("append-via-stream"): method(appendViaStream),
			d("read"):              with1(readFile),
			d("write"):             with1(writeFile),
			d("read-directory"):    method(readDirectory),
			d("open-at"):           method(openAt),

			d("create-directory-at"): with1(createDirectoryAt),
			d("remove-directory-at"): with1(removeDirectoryAt),
			d("unlink-file-at"):      with1(unlinkFileAt),
			d("symlink-at"):          with1(symlinkAt),
			d("readlink-at"):         with1(readlinkAt),
			d("link-at"):             method(linkAt),
			d("rename-at"):           with1(renameAt),
		}, statFunctions()),
	}
}

// namedAt is a function of a name below a descriptor.
func (c *call) namedAt(d *descriptor, p string, do func(name string) sys.Errno) (any, error) {
	name, err := c.resolve(d, p)
	if err != nil {
		return filed(nil, err)
	}
	return filed(nil, fileErrorOf(do(name)))
}

func createDirectoryAt(c *call, d *descriptor, p string) (any, error) {
	return c.namedAt(d, p, func(name string) sys.Errno { return d.view.Mkdir(name, 0o777) })
}

func removeDirectoryAt(c *call, d *descriptor, p string) (any, error) {
	return c.namedAt(d, p, d.view.Rmdir)
}

func unlinkFileAt(c *call, d *descriptor, p string) (any, error) {
	return c.namedAt(d, p, d.view.Unlink)
}

func symlinkAt(c *call, d *descriptor, target string) (any, error) {
	p := get[string](c, 2)
	if c.err != nil {
		return nil, c.err
	}
	if target == "" {
		return filed(nil, fileError(codeNoEntry))
	}
	return c.namedAt(d, p, func(name string) sys.Errno { return d.view.Symlink(target, name) })
}

// readlinkAt tells no absolute targets: they are paths of the host.
func readlinkAt(c *call, d *descriptor, p string) (any, error) {
	name, err := c.resolve(d, p)
	if err != nil {
		return filed(nil, err)
	}
	target, errno := d.view.Readlink(name)
	switch {
	case errno != 0:
		return filed(nil, fileErrorOf(errno))
	case len(target) > 0 && target[0] == '/':
		return filed(nil, fileError(codeNotPermitted))
	case target != valid(target):
		return filed(nil, fileError(codeIllegalBytes))
	}
	return wit.Ok(target), nil
}

func linkAt(c *call, d *descriptor) (any, error) {
	follow, from, to, p := get[uint32](c, 1), get[string](c, 2), borrowed[*descriptor](c, 3), get[string](c, 4)
	switch {
	case c.err != nil:
		return nil, c.err
	case follow&followLinks != 0:
		return filed(nil, fileError(codeInvalid))
	}
	return c.both(d, from, to, p, d.view.Link)
}

func renameAt(c *call, d *descriptor, from string) (any, error) {
	to, p := borrowed[*descriptor](c, 2), get[string](c, 3)
	if c.err != nil {
		return nil, c.err
	}
	return c.both(d, from, to, p, d.view.Rename)
}

// both is a function of two names, in one mount.
func (c *call) both(d *descriptor, from string, other *descriptor, to string, do func(from, to string) sys.Errno) (any, error) {
	source, err := c.resolve(d, from)
	if err != nil {
		return filed(nil, err)
	}
	dest, err := c.resolve(other, to)
	if err == nil && d.view != other.view {
		err = fileError(codeCrossDevice)
	}
	if err != nil {
		return filed(nil, err)
	}
	return filed(nil, fileErrorOf(do(source, dest)))
}
