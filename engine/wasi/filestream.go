package wasi

import (
	"io"
	"math"

	"github.com/realm-mesh/realm/engine/component/wit"
)

// fileSource is a stream from a file.
type fileSource struct {
	always
	*opened
	at uint64
}

func (s *fileSource) read(n int) ([]byte, error) {
	b, eof, err := s.readAt(uint64(n), s.at)
	if err == nil && eof {
		err = io.EOF
	}
	s.at += uint64(len(b))
	return b, err
}

// readAt reads up to n bytes; eof: there are none any more.
func (o *opened) readAt(n, at uint64) (b []byte, eof bool, err error) {
	if at > math.MaxInt64 {
		return nil, false, fileError(codeInvalid)
	}
	b = make([]byte, min(n, maxMove))
	if len(b) == 0 {
		return b, false, nil
	}
	read, errno := o.file.Pread(b, int64(at))
	return b[:read], read == 0 && errno == 0, fileErrorOf(errno)
}

// writeAt writes all of b.
func (o *opened) writeAt(b []byte, at uint64) (int, error) {
	if at > math.MaxInt64-uint64(len(b)) {
		return 0, fileError(codeInvalid)
	}
	n, errno := o.file.Pwrite(b, int64(at))
	return n, fileErrorOf(errno)
}

// fileSink is a stream into a file.
type fileSink struct {
	*opened
	at uint64
}

func (*fileSink) room() (int, error) { return maxMove, nil }
func (*fileSink) flushed() bool      { return true }

func (s *fileSink) put(_ *call, b []byte) error {
	n, err := s.writeAt(b, s.at)
	s.at += uint64(n)
	return err
}

// appendSink is a stream to the end of a file, wherever that is by then.
type appendSink struct{ fileSink }

func (s *appendSink) put(_ *call, b []byte) error {
	if errno := s.file.SetAppend(true); errno != 0 {
		return fileErrorOf(errno)
	}
	_, errno := s.file.Write(b)
	return fileErrorOf(errno)
}

// may is the error of using d as no flags allow.
func (d *descriptor) may(flag uint32) error {
	switch {
	case d.dir:
		return fileError(codeIsDirectory)
	case d.flag&flag == 0:
		return fileError(codeBadDescriptor)
	}
	return nil
}

func readViaStream(c *call, d *descriptor, at uint64) (any, error) {
	if err := d.may(flagRead); err != nil {
		return filed(nil, err)
	}
	h, err := c.g.own(&inputStream{source: &fileSource{opened: d.use(), at: at}}, 0)
	return wit.Ok(h), err
}

func writeViaStream(c *call, d *descriptor, at uint64) (any, error) {
	if err := d.may(flagWrite); err != nil {
		return filed(nil, err)
	}
	h, err := c.g.own(&outputStream{sink: &fileSink{opened: d.use(), at: at}}, 0)
	return wit.Ok(h), err
}

func appendViaStream(c *call, d *descriptor) (any, error) {
	if err := d.may(flagWrite); err != nil {
		return filed(nil, err)
	}
	h, err := c.g.own(&outputStream{sink: &appendSink{fileSink{opened: d.use()}}}, 0)
	return wit.Ok(h), err
}

func readFile(c *call, d *descriptor, n uint64) (any, error) {
	at := get[uint64](c, 2)
	if c.err != nil {
		return nil, c.err
	}
	if err := d.may(flagRead); err != nil {
		return filed(nil, err)
	}
	b, eof, err := d.readAt(n, at)
	if err != nil {
		return filed(nil, err)
	}
	return wit.Ok([]any{b, eof}), c.g.work(c.ctx, len(b))
}

func writeFile(c *call, d *descriptor, b []byte) (any, error) {
	at := get[uint64](c, 2)
	if c.err != nil {
		return nil, c.err
	}
	if err := d.may(flagWrite); err != nil {
		return filed(nil, err)
	}
	b = b[:min(len(b), maxWrite)]
	if err := c.g.work(c.ctx, len(b)); err != nil {
		return nil, err
	}
	n, err := d.writeAt(b, at)
	if n > 0 {
		err = nil // the rest is for another call to find out about
	}
	return filed(uint64(n), err)
}

// maxWrite is the most that one call writes to a file, which says how much it has.
const maxWrite = 1 << 20

// entryStream is the names in a folder.
type entryStream struct {
	*opened
	batch []any
	end   bool
}

func (s *entryStream) drop(*Guest) { s.close() }

const (
	// batchEntries is how many names are read at once.
	batchEntries = 32
	// entryWork is what a name costs: it is looked up.
	entryWork = 1024
)

func readDirectory(c *call, d *descriptor) (any, error) {
	if !d.dir {
		return filed(nil, fileError(codeNotDirectory))
	}
	dir, err := openDirectoryAt(d.view, d.path)
	if err != nil {
		return filed(nil, err)
	}
	h, err := c.g.own(&entryStream{opened: dir.opened}, 0)
	return wit.Ok(h), err
}

func readDirectoryEntry(c *call, s *entryStream) (any, error) {
	if len(s.batch) == 0 && !s.end {
		if err := c.g.work(c.ctx, batchEntries*entryWork); err != nil {
			return nil, err
		}
		entries, errno := s.file.Readdir(batchEntries)
		if errno != 0 {
			return filed(nil, fileErrorOf(errno))
		}
		s.end = len(entries) < batchEntries
		for _, e := range entries {
			s.batch = append(s.batch, []any{typeValue(e.Type), e.Name})
		}
	}
	if len(s.batch) == 0 {
		return wit.Ok(wit.None()), nil
	}
	e, _ := s.batch[0].([]any) // as above
	s.batch = s.batch[1:]
	if name, _ := e[1].(string); name != valid(name) {
		return filed(nil, fileError(codeIllegalBytes))
	}
	return wit.Ok(wit.Some(e)), nil
}
