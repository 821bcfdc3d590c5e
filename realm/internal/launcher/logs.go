package launcher

import (
	"encoding/json"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/rotate"
)

// logs takes what the daemons write to files, and to whoever listens on the bus.
type logs struct {
	files map[api.Daemon]*rotate.File
	bus   *bus.Conn
}

func openLogs(h paths.Home, conn *bus.Conn) *logs {
	l := &logs{files: map[api.Daemon]*rotate.File{}, bus: conn}
	for _, d := range api.Daemons() {
		l.files[d] = rotate.New(h.DaemonLog(d), disk.ReserveState)
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
