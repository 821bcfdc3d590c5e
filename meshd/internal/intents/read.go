package intents

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

const (
	maxLine   = api.MaxEnvelope + 1 // bytes of a line of the log
	readChunk = 1024                // lines that are checked together
	maxLog    = math.MaxInt64
)

// content is what a log holds. The zero content is that of a new one.
type content struct {
	pin     trust.Pin       // the first line: the realm, and its owner when the log was begun
	intents []intent.Signed // in the order in which they came
	opaque  []api.Digest    // of intents that a newer version has kept
	size    int64           // of whole, good lines
	cut     int64           // bytes behind them
}

// readLog reads the first limit bytes of the log at path, which need not exist.
func readLog(path string, limit int64) (content, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return content{}, nil
	}
	if err != nil {
		return content{}, err
	}
	defer f.Close()
	c, torn, err := readLines(f, path, limit)
	if err == nil && torn > 0 { // without the beginning of what is whole or not there
		end := c.size + c.cut
		if c, _, err = readLines(f, path, torn); err == nil {
			c.cut = end - c.size
		}
	}
	return c, err
}

// readLines is readLog for an open file. torn is where a batch begins that was not
// written to its end; 0: there is none.
func readLines(f *os.File, path string, limit int64) (c content, torn int64, err error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return c, 0, err
	}
	r := logReader{path: path}
	if err := eachLine(io.LimitReader(f, limit), r.line); err != nil {
		return c, 0, err
	}
	if err := r.check(); err != nil {
		return c, 0, err
	}
	fi, err := f.Stat()
	if err != nil {
		return c, 0, err
	}
	r.size = r.end
	switch {
	case r.bad.no > 0:
		r.size, torn = r.bad.at, r.bad.batch
	case r.batch.left > 0:
		torn = r.batch.at
	}
	r.cut = min(fi.Size(), limit) - r.size
	return r.content, torn, nil
}

// eachLine calls fn for each whole line of r; one that is too long is nil. size is
// that of the line with its end.
func eachLine(r io.Reader, fn func(line []byte, size int64) error) error {
	b := bufio.NewReaderSize(r, maxLine)
	var long int64
	for {
		line, err := b.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			long += int64(len(line))
			continue
		case errors.Is(err, io.EOF):
			return nil // what is cut short, nobody was told of
		case err != nil:
			return err
		}
		size := long + int64(len(line))
		line = bytes.TrimSuffix(line, []byte{'\n'})
		if long > 0 {
			line = nil
		}
		long = 0
		if err := fn(line, size); err != nil {
			return err
		}
	}
}

// logReader takes the lines of a log.
type logReader struct {
	content
	path string

	no    int   // of lines that were read
	end   int64 // of the last of them
	chunk []rawLine
	bad   rawLine // the first one that is damaged
	batch struct {
		at   int64 // where the last one begins
		left int   // lines that are missing of it
	}
}

// rawLine is a line that has not been checked.
type rawLine struct {
	no       int
	at       int64 // where it begins
	batch    int64 // where the batch begins that it belongs to; 0: none
	envelope []byte
}

func (r *logReader) line(b []byte, size int64) error {
	r.no++
	at := r.end
	r.end += size
	if r.no == 1 {
		if err := api.Decode(b, maxLine, &r.pin); err != nil {
			return r.damaged(1)
		}
		return nil
	}
	if n, begins := batchHead(b); begins && r.batch.left == 0 {
		r.batch.at, r.batch.left = at, n
		return nil
	}
	l := rawLine{no: r.no, at: at, envelope: bytes.Clone(b)}
	if r.batch.left > 0 {
		l.batch = r.batch.at
		r.batch.left--
	}
	r.chunk = append(r.chunk, l)
	if len(r.chunk) < readChunk {
		return nil
	}
	return r.check()
}

// check checks the lines that have gathered.
func (r *logReader) check() error {
	envelopes := make([][]byte, 0, len(r.chunk))
	for _, l := range r.chunk {
		envelopes = append(envelopes, l.envelope)
	}
	read, errs := Read(envelopes)
	for i, l := range r.chunk {
		opaque := errors.Is(errs[i], intent.ErrContent)
		switch {
		case errs[i] != nil && !opaque:
			if r.bad.no == 0 {
				r.bad = l
			}
			continue
		case r.bad.no > 0:
			return r.damaged(r.bad.no)
		case opaque:
			if d, ok := intent.Peek(l.envelope); ok {
				r.opaque = append(r.opaque, d)
			}
		default:
			r.intents = append(r.intents, read[i])
		}
	}
	r.chunk = slices.Delete(r.chunk, 0, len(r.chunk))
	return nil
}

func (r *logReader) damaged(no int) error {
	return fmt.Errorf("line %d of %s is damaged, and lines after it are not: move the file away and start the node again, and other members will bring back what it held; without other members, put a copy of the file in its place first", no, r.path)
}
