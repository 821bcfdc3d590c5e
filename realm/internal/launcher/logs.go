package launcher

import (
	"encoding/json"

	"gopkg.in/natefinch/lumberjack.v2"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// Sizes of a daemon's log.
const (
	maxLogMB    = 8
	maxLogFiles = 3 // beside the current one
)

// logs takes what the daemons write to files, and to whoever listens on the bus.
type logs struct {
	files map[api.Daemon]*lumberjack.Logger
	bus   *bus.Conn
}

func openLogs(h paths.Home, conn *bus.Conn) *logs {
	l := &logs{files: map[api.Daemon]*lumberjack.Logger{}, bus: conn}
	for _, d := range api.Daemons() {
		l.files[d] = &lumberjack.Logger{Filename: h.DaemonLog(d), MaxSize: maxLogMB, MaxBackups: maxLogFiles}
	}
	return l
}

// add takes one line. A disk that is full or a bus that is away must not hold up
// the daemon: then the line is lost there.
func (l *logs) add(d api.Daemon, line api.LogLine) {
	_, _ = l.files[d].Write([]byte(line.Line + "\n"))
	if b, err := json.Marshal(line); err == nil {
		_ = l.bus.Publish(api.SubjectDaemonLog(d), b)
	}
}

func (l *logs) close() {
	for _, f := range l.files {
		_ = f.Close() // nothing is buffered
	}
}
