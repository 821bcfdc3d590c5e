package schedule

import (
	"archive/zip"
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// zoneinfo is the table of time zones that comes with Go (public domain, from IANA).
// Not time/tzdata, which Go asks only where the system has no tables of its own: systems
// of different age would give different instants.
//
//go:generate sh -c "cp $(go env GOROOT)/lib/time/zoneinfo.zip zoneinfo.zip"
//go:embed zoneinfo.zip
var zoneinfo []byte

// maxZone is the most bytes of a zone's name.
const maxZone = 64

// maxTable is the most bytes of a zone's table.
const maxTable = 1 << 20

// table opens zoneinfo once.
var table = sync.OnceValues(func() (*zip.Reader, error) {
	return zip.NewReader(bytes.NewReader(zoneinfo), int64(len(zoneinfo)))
})

// loaded keeps the zones that were asked for, by name, so that equal names give equal
// pointers and Schedules can be compared. Only names in the table come in.
var loaded sync.Map

// loadZone returns the zone of an IANA name; "" is UTC.
func loadZone(name string) (*time.Location, error) {
	if name == "" || name == "UTC" {
		return time.UTC, nil
	}
	if kept, ok := loaded.Load(name); ok {
		return kept.(*time.Location), nil
	}
	data, err := zoneData(name)
	if err != nil {
		return nil, err
	}
	loc, err := time.LoadLocationFromTZData(name, data)
	if err != nil {
		return nil, fmt.Errorf("read time zone %s: %w", name, err)
	}
	kept, _ := loaded.LoadOrStore(name, loc)
	return kept.(*time.Location), nil
}

func zoneData(name string) ([]byte, error) {
	if len(name) > maxZone {
		return nil, fmt.Errorf("time zone: name of %d bytes, want %d at most, like Europe/Berlin", len(name), maxZone)
	}
	unknown := fmt.Errorf("time zone %q is unknown: want a name like Europe/Berlin, or none for UTC", name)
	if strings.HasSuffix(name, "/") {
		return nil, unknown
	}
	r, err := table()
	if err != nil {
		return nil, fmt.Errorf("open table of time zones: %w", err)
	}
	f, err := r.Open(name)
	if err != nil {
		return nil, unknown
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.IsDir() {
		return nil, unknown
	}
	data, err := io.ReadAll(io.LimitReader(f, maxTable+1))
	if err == nil && len(data) > maxTable {
		err = errors.New("too long")
	}
	if err != nil {
		return nil, fmt.Errorf("read time zone %s: %w", name, err)
	}
	return data, nil
}
