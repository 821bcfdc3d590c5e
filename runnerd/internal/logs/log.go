package logs

import (
	"log/slog"
	"sync"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/logfile"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// Streams of a program.
const (
	Stdout = logfile.Stdout
	Stderr = logfile.Stderr
)

// Live is where new lines go at once. It must not block.
type Live func(api.Ref, api.LogLine)

// Log is the log of one workload, which several instances may write to. It is
// safe for use by several goroutines.
type Log struct {
	ref  api.Ref
	live Live
	log  *slog.Logger

	passes bool // nothing is kept in a file

	tail Tail

	mu   sync.Mutex
	file file
	pace pace
	full bool // the last line was not kept in the file
}

// Open returns the log of a workload in the file at path. The file is made with
// the first line. log is told when lines cannot be kept.
func Open(ref api.Ref, path string, live Live, log *slog.Logger) *Log {
	return &Log{ref: ref, live: live, log: log.With(telemetry.KeyWorkload, ref.String()), file: newFile(path)}
}

// Pass returns a log that keeps no more than the last lines, and has all go to live.
func Pass(ref api.Ref, live Live) *Log { return &Log{ref: ref, live: live, passes: true} }

// Writer returns a writer for one stream of one instance. Whoever uses it
// flushes it at the end.
func (l *Log) Writer(stream string) *Writer { return &Writer{log: l, stream: stream} }

// WriterOf is [Log.Writer] for an instance whose last lines own keeps, too, apart from
// those of others.
func (l *Log) WriterOf(stream string, own *Tail) *Writer {
	return &Writer{log: l, stream: stream, own: own}
}

// Tail returns the last lines of all instances, shortened to what a fact may carry.
func (l *Log) Tail() []string { return l.tail.Lines() }

// Close closes the file. Lines that still come open it again.
func (l *Log) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.passes {
		l.file.close()
	}
}

// Remove closes and removes the files.
func (l *Log) Remove() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail.clear()
	if l.passes {
		return nil
	}
	return l.file.remove()
}

func (l *Log) add(line api.LogLine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail.add(line.Line)
	if l.passes {
		l.live(l.ref, line)
		return
	}
	l.keep(line)
	for _, send := range l.pace.admit(line) {
		l.live(l.ref, send)
	}
}

// keep writes a line to the file; that it cannot is told once, not per line.
func (l *Log) keep(line api.LogLine) {
	err := l.file.write(line)
	if err != nil && !l.full {
		l.log.Warn("lines of a program are not kept", telemetry.Error(err))
	}
	l.full = err != nil
}
