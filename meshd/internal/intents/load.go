package intents

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// load reads the log into a new set, and opens it for more.
func (k *Keeper) load() error {
	c, err := readLog(k.cfg.Path, maxLog)
	if err != nil {
		return err
	}
	if c.cut > 0 {
		k.cfg.Log.Warn("the log of intents ends in the middle of a line: the node was stopped while it wrote", "path", k.cfg.Path, "bytes", c.cut)
	}
	if c.size > 0 && c.pin.Realm != k.cfg.Pin.Realm {
		if err := k.setAside(c.pin.Realm); err != nil {
			return err
		}
		c = content{}
	}
	if k.fresh = c.size == 0; k.fresh {
		if c, err = startLog(k.cfg.Path, k.cfg.Pin); err != nil {
			return err
		}
	}
	k.ledger = c.replay(k.cfg.Pin, k.cfg.Now())
	garbage := k.account(c)
	if k.journal, err = openJournal(k.cfg.Path, c.size); err != nil {
		return err
	}
	if garbage {
		k.compact()
	}
	return nil
}

// setAside renames the log of another realm, which this node has left.
func (k *Keeper) setAside(r api.RealmID) error {
	aside := k.cfg.Path + "." + string(r)
	k.cfg.Log.Warn("the log of intents is of another realm; it is set aside", "path", aside)
	return atomicfile.Rename(k.cfg.Path, aside)
}

// startLog makes an empty log.
func startLog(path string, pin trust.Pin) (content, error) {
	header, err := headerOf(pin)
	if err != nil {
		return content{}, err
	}
	if err := atomicfile.Write(path, header, 0o600); err != nil {
		return content{}, err
	}
	return content{pin: pin, size: int64(len(header))}, nil
}

func headerOf(pin trust.Pin) ([]byte, error) {
	b, err := json.Marshal(pin)
	return append(b, '\n'), err
}

// replay makes the set of what c holds, for a node that trusts pin: the owner's key
// then or now.
func (c content) replay(pin trust.Pin, now time.Time) *ledger.Ledger {
	l := ledger.New(pin)
	l.Restore(c.intents, now)
	return l
}

// account takes stock of what was read, and reports whether there are lines in the
// log that are of no use.
func (k *Keeper) account(c content) (garbage bool) {
	k.opaque = make(map[api.Digest]struct{}, len(c.opaque))
	for _, d := range c.opaque {
		k.opaque[d] = struct{}{}
	}
	seen := make(map[api.Digest]struct{}, len(c.intents))
	k.live = 0
	for _, s := range c.intents {
		_, held := k.ledger.Held(s.Digest)
		if _, twice := seen[s.Digest]; !held || twice {
			garbage = true
			continue
		}
		seen[s.Digest] = struct{}{}
		k.track(ledger.Change{Added: []intent.Signed{s}})
	}
	return garbage || len(k.opaque) < len(c.opaque)
}

// reload makes the set what the log says.
func (k *Keeper) reload() error {
	c, err := readLog(k.cfg.Path, k.journal.size)
	if err != nil {
		return fmt.Errorf("read the log of intents again: %w", err)
	}
	k.ledger.Become(c.replay(k.cfg.Pin, k.cfg.Now()))
	return nil
}
