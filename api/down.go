package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// DaemonList is daemons by name, each once.
type DaemonList []Daemon

// maxDaemonList is the most names that one is read from, of this version or not.
const maxDaemonList = 32

// UnmarshalJSON implements [json.Unmarshaler]. A daemon that this version does not
// know is left out.
func (l *DaemonList) UnmarshalJSON(b []byte) error {
	var all []Daemon
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	if len(all) > maxDaemonList {
		return fmt.Errorf("daemons: %d, at most %d", len(all), maxDaemonList)
	}
	*l = nil
	for _, d := range all {
		if slices.Contains(Daemons(), d) {
			*l = append(*l, d)
		}
	}
	return nil
}

// check returns an error if l is no such list.
func (l DaemonList) check() error {
	for i, d := range l {
		if !slices.Contains(Daemons(), d) {
			return fmt.Errorf("daemon %.40q: want one of %v", d, Daemons())
		}
		if i > 0 && l[i-1] >= d {
			return errors.New("daemons: not by name, or one of them twice")
		}
	}
	return nil
}

// IsDown reports whether the member says that d is not there to do its work.
func (f *PeerFact) IsDown(d Daemon) bool { return slices.Contains(f.Down, d) }
