package wasi

import (
	"crypto/sha256"
	"encoding/binary"
	"io/fs"
	"math"
	"time"

	"github.com/realm-mesh/realm/engine/component/wit"
	"github.com/tetratelabs/wazero/experimental/sys"
	wsys "github.com/tetratelabs/wazero/sys"
)

func statFunctions() map[string]Function {
	d := func(name string) string { return "[method]descriptor." + name }
	return map[string]Function{
		d("get-flags"): method(func(_ *call, d *descriptor) (any, error) { return wit.Ok(d.flag), nil }),
		d("get-type"):  of(func(s wsys.Stat_t) any { return typeValue(s.Mode) }),
		d("stat"):      of(statValue), d("stat-at"): ofAt(statValue),
		d("metadata-hash"): of(hashValue), d("metadata-hash-at"): ofAt(hashValue),
		d("is-same-object"): method(isSameObject),
		d("advise"): method(func(c *call, d *descriptor) (any, error) {
			if get[uint64](c, 1); c.err != nil {
				return nil, c.err
			}
			return filed(nil, d.may(flagRead|flagWrite)) // the system knows best
		}),
		d("sync"):         method(func(_ *call, d *descriptor) (any, error) { return filed(nil, fileErrorOf(d.file.Sync())) }),
		d("sync-data"):    method(func(_ *call, d *descriptor) (any, error) { return filed(nil, fileErrorOf(d.file.Datasync())) }),
		d("set-size"):     with1(setSize),
		d("set-times"):    method(setTimes),
		d("set-times-at"): method(setTimesAt),
	}
}

// of is a function of what is known about an open file.
func of(value func(wsys.Stat_t) any) Function {
	return method(func(_ *call, d *descriptor) (any, error) {
		s, errno := d.file.Stat()
		if errno != 0 {
			return filed(nil, fileErrorOf(errno))
		}
		return wit.Ok(value(s)), nil
	})
}

// ofAt is a function of what is known about what has a name.
func ofAt(value func(wsys.Stat_t) any) Function {
	return method(func(c *call, d *descriptor) (any, error) {
		follow, p := get[uint32](c, 1), get[string](c, 2)
		if c.err != nil {
			return nil, c.err
		}
		s, err := c.statAt(d, follow, p)
		if err != nil {
			return filed(nil, err)
		}
		return wit.Ok(value(s)), nil
	})
}

func (c *call) statAt(d *descriptor, follow uint32, p string) (wsys.Stat_t, error) {
	name, err := c.resolve(d, p)
	if err != nil {
		return wsys.Stat_t{}, err
	}
	look := d.view.Lstat
	if follow&followLinks != 0 {
		look = d.view.Stat
	}
	s, errno := look(name)
	return s, fileErrorOf(errno)
}

func statValue(s wsys.Stat_t) any {
	at := func(ns int64) any { return wit.Some(datetime(time.Unix(0, ns))) }
	return []any{typeValue(s.Mode), s.Nlink, uint64(max(s.Size, 0)), at(s.Atim), at(s.Mtim), at(s.Ctim)}
}

// hashValue changes when a file does, and tells nothing else of it.
func hashValue(s wsys.Stat_t) any {
	var b []byte
	for _, n := range []uint64{s.Dev, s.Ino, uint64(s.Size), uint64(s.Mtim), uint64(s.Ctim)} {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	sum := sha256.Sum256(b)
	return []any{binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])}
}

// typeValue is a descriptor-type.
func typeValue(m fs.FileMode) uint32 {
	switch {
	case m.IsRegular():
		return 6
	case m.IsDir():
		return 3
	case m&fs.ModeSymlink != 0:
		return 5
	case m&fs.ModeCharDevice != 0:
		return 2
	case m&fs.ModeDevice != 0:
		return 1
	case m&fs.ModeNamedPipe != 0:
		return 4
	case m&fs.ModeSocket != 0:
		return 7
	}
	return 0
}

func isSameObject(c *call, d *descriptor) (any, error) {
	other := borrowed[*descriptor](c, 1)
	if c.err != nil {
		return nil, c.err
	}
	a, errno := d.file.Stat()
	b, errno2 := other.file.Stat()
	return errno == 0 && errno2 == 0 && a.Dev == b.Dev && a.Ino == b.Ino, nil
}

func setSize(_ *call, d *descriptor, n uint64) (any, error) {
	err := d.may(flagWrite)
	if err == nil && n > math.MaxInt64 {
		err = fileError(codeInvalid)
	}
	if err != nil {
		return filed(nil, err)
	}
	return filed(nil, fileErrorOf(d.file.Truncate(int64(n))))
}

// newTime is the time that argument n gives, a new-timestamp.
func (c *call) newTime(n int) int64 {
	v := get[wit.Choice](c, n)
	switch {
	case c.err != nil || v.Case == 0:
		return sys.UTIME_OMIT
	case v.Case == 1:
		return c.g.env.Now().UnixNano()
	}
	when, err := arg[[]any]([]any{v.Value}, 0)
	seconds, err2 := arg[uint64](when, 0)
	nanos, err3 := arg[uint32](when, 1)
	for _, e := range []error{err, err2, err3} {
		if c.err == nil {
			c.err = e
		}
	}
	if seconds > math.MaxInt64/uint64(time.Second)-1 || nanos >= uint32(time.Second) {
		return badTime
	}
	return int64(seconds)*int64(time.Second) + int64(nanos)
}

// badTime is a time that no file can have.
const badTime = math.MaxInt64

func setTimes(c *call, d *descriptor) (any, error) {
	atime, mtime := c.newTime(1), c.newTime(2)
	switch {
	case c.err != nil:
		return nil, c.err
	case atime == badTime || mtime == badTime:
		return filed(nil, fileError(codeInvalid))
	}
	return filed(nil, fileErrorOf(d.file.Utimens(atime, mtime)))
}

func setTimesAt(c *call, d *descriptor) (any, error) {
	follow, p := get[uint32](c, 1), get[string](c, 2)
	atime, mtime := c.newTime(3), c.newTime(4)
	switch {
	case c.err != nil:
		return nil, c.err
	case atime == badTime || mtime == badTime:
		return filed(nil, fileError(codeInvalid))
	}
	s, err := c.statAt(d, follow, p)
	if err == nil && s.Mode&fs.ModeSymlink != 0 {
		err = fileError(codeUnsupported) // the times of a link itself
	}
	if err != nil {
		return filed(nil, err)
	}
	return c.namedAt(d, p, func(name string) sys.Errno { return d.view.Utimens(name, atime, mtime) })
}
