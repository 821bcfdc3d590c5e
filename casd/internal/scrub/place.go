package scrub

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// saveEvery is after how many bytes the place is written down: a crash costs reading
// them again.
const saveEvery = 64 << 20

const maxPlace = 4 << 10 // bytes of the file

// place is where the scrub stands.
type place struct {
	After     api.Digest `json:"after"`              // the last chunk that was read; none: a round begins
	Completed time.Time  `json:"completed,omitzero"` // when the last round ended
	read      int64      // bytes since the start
}

// Validate implements [api.Validator].
func (*place) Validate() error { return nil }

// due reports whether p is worth writing down after last.
func (p place) due(last place) bool {
	return p.read-last.read >= saveEvery || !p.Completed.Equal(last.Completed)
}

// Load reads where the last run stood. One that cannot be read begins anew.
func (s *Scrubber) Load() { s.completed(s.load().Completed) }

func (s *Scrubber) load() (p place) {
	f, err := os.Open(s.cfg.File)
	if errors.Is(err, fs.ErrNotExist) {
		return place{}
	}
	if err == nil {
		defer f.Close()
		var b []byte
		if b, err = api.ReadAll(f, maxPlace); err == nil {
			err = api.Decode(b, maxPlace, &p)
		}
	}
	if err == nil {
		return p
	}
	s.log.Warn("cannot read where the scrub stood: it begins anew", "file", s.cfg.File, telemetry.Error(err))
	return place{}
}

func (s *Scrubber) save(p place) {
	b, err := json.Marshal(p)
	if err == nil {
		err = atomicfile.Write(s.cfg.File, b, 0o600)
	}
	if err != nil {
		s.log.Warn("cannot write down where the scrub stands", telemetry.Error(err))
	}
}
