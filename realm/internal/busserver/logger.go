package busserver

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// logger hands what the server says to slog. Its notices are for those who run a
// NATS server by hand, so they count as debug here. Fatal does not end the
// process: it is kept, and the start fails with it.
type logger struct {
	log *slog.Logger

	mu    sync.Mutex
	fatal error
}

func (l *logger) Noticef(f string, v ...any) { l.log.Debug(fmt.Sprintf(f, v...)) }
func (l *logger) Debugf(f string, v ...any)  { l.log.Debug(fmt.Sprintf(f, v...)) }
func (l *logger) Tracef(f string, v ...any)  { l.log.Debug(fmt.Sprintf(f, v...)) }
func (l *logger) Warnf(f string, v ...any)   { l.log.Warn("bus", telemetry.Error(fmt.Errorf(f, v...))) }
func (l *logger) Errorf(f string, v ...any)  { l.log.Error("bus", telemetry.Error(fmt.Errorf(f, v...))) }

func (l *logger) Fatalf(f string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fatal = errors.Join(l.fatal, fmt.Errorf(f, v...))
}

func (l *logger) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatal
}
