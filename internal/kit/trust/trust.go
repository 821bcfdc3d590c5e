// Package trust keeps what a node believes without asking anybody: whose realm it
// belongs to (the pin), and how far each sequence of intents has come (the
// marks). Both are files of the node, so that neither the bus nor a peer can take
// them back.
package trust

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// Pin is the realm that a node belongs to and the key that speaks for it.
type Pin struct {
	Realm api.RealmID `json:"realm"`
	Owner keys.Public `json:"owner"`
}

// NewPin is the pin of a realm that still has its first owner key.
func NewPin(owner keys.Public) Pin {
	return Pin{Realm: api.NewRealmID(owner.Key()), Owner: owner}
}

// Validate implements [api.Validator].
func (p *Pin) Validate() error {
	if p.Realm == "" || p.Owner.IsZero() {
		return errors.New("realm or owner is missing")
	}
	return nil
}

// ErrUnclaimed says that a node trusts nobody yet.
var ErrUnclaimed = errors.New("this node has no owner yet")

const maxPin = 4 << 10

// ReadPin reads the pin at path; without one it is [ErrUnclaimed].
func ReadPin(path string) (Pin, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Pin{}, fmt.Errorf("%w: realm enroll TOKEN joins a realm with an invite, realm configure --owner KEY follows one, realm init begins one of your own", ErrUnclaimed)
	}
	if err != nil {
		return Pin{}, fmt.Errorf("read trust: %w", err)
	}
	var p Pin
	if err := api.Decode(b, maxPin, &p); err != nil {
		return Pin{}, fmt.Errorf("read trust %s: %w", path, err)
	}
	return p, nil
}

// Write pins p at path.
func (p Pin) Write(path string) error { return p.write(path, atomicfile.Write) }

// Create pins p at path, where nothing may be pinned yet ([fs.ErrExist]).
func (p Pin) Create(path string) error { return p.write(path, atomicfile.Create) }

func (p Pin) write(path string, write func(string, []byte, os.FileMode) error) error {
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("write trust: %w", err)
	}
	return write(path, append(b, '\n'), 0o600)
}
