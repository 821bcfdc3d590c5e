// Package contexts keeps what a person calls their realms: by a short name, which
// node to ask and with which key to sign. It is one TOML file in the person's
// configuration folder; the commands of realm context write it, and people may.
package contexts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/lockfile"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/addr"
)

// Context is one realm, or one way to it. What is empty is as it is without a
// context. Files are absolute paths.
type Context struct {
	Home     string      `toml:"home,omitempty" json:"home,omitempty"`           // of the node on this machine
	Node     string      `toml:"node,omitempty" json:"node,omitempty"`           // address of a member, where no node is up on this machine
	OwnerKey string      `toml:"owner_key,omitempty" json:"owner_key,omitempty"` // file of the key to sign with
	Grant    string      `toml:"grant,omitempty" json:"grant,omitempty"`         // file of the grant of that key
	Realm    api.RealmID `toml:"realm,omitempty" json:"realm,omitempty"`         // which the key does not tell: of a grant, or a realm that was rotated
	Owner    string      `toml:"owner,omitempty" json:"owner,omitempty"`         // key that speaks for Realm
}

// Book is all contexts of a person.
type Book struct {
	Current  string             `toml:"current,omitempty" json:"current,omitempty"` // the one that counts unless another is named; "": none
	Contexts map[string]Context `toml:"contexts,omitempty" json:"contexts"`
}

// ErrUnknown says that there is no context of that name.
var ErrUnknown = errors.New("there is no such context")

const maxFile = 1 << 20

// Pin is the realm that c names; ok is false where it names none.
func (c Context) Pin() (pin trust.Pin, ok bool, err error) {
	if c.Owner == "" {
		return pin, false, nil
	}
	k, err := keys.ParsePublic(c.Owner)
	if err != nil {
		return pin, false, err
	}
	if pin = trust.NewPin(k); c.Realm != "" {
		pin.Realm = c.Realm
	}
	return pin, true, nil
}

// Validate implements [api.Validator].
func (c Context) Validate() error {
	if c.Home != "" && c.Node != "" {
		return errors.New("home and node: which of them is to be asked? Give one")
	}
	if c.Node != "" {
		if err := addr.Check(c.Node); err != nil {
			return fmt.Errorf("node: %w", err)
		}
	}
	for name, path := range map[string]string{"home": c.Home, "owner_key": c.OwnerKey, "grant": c.Grant} {
		if path != "" && !filepath.IsAbs(path) {
			return fmt.Errorf("%s %.200q: want an absolute path", name, path)
		}
	}
	if c.Realm != "" {
		if _, err := api.ParseRealmID(string(c.Realm)); err != nil {
			return fmt.Errorf("realm: %w", err)
		}
		if c.Owner == "" {
			return errors.New("realm: it goes with owner, the key that speaks for it: give both")
		}
	}
	if _, _, err := c.Pin(); err != nil {
		return fmt.Errorf("owner: %w", err)
	}
	return nil
}

// Validate implements [api.Validator].
func (b Book) Validate() error {
	for _, name := range b.Names() {
		if _, err := api.ParseName(name); err != nil {
			return fmt.Errorf("context: %w", err)
		}
		if err := b.Contexts[name].Validate(); err != nil {
			return fmt.Errorf("context %s: %w", name, err)
		}
	}
	if _, ok := b.Contexts[b.Current]; b.Current != "" && !ok {
		return fmt.Errorf("current: %w: %.80q", ErrUnknown, b.Current)
	}
	return nil
}

// Names lists the contexts in their order.
func (b Book) Names() []string { return slices.Sorted(maps.Keys(b.Contexts)) }

// Get returns the context of that name.
func (b Book) Get(name string) (Context, error) {
	c, ok := b.Contexts[name]
	if !ok {
		return c, fmt.Errorf("%w: %.80q: there %s; make one with realm context add", ErrUnknown, name, b.list())
	}
	return c, nil
}

func (b Book) list() string {
	switch names := b.Names(); len(names) {
	case 0:
		return "are none"
	case 1:
		return "is " + names[0]
	default:
		return "are " + strings.Join(names, ", ")
	}
}

// Read reads the contexts at path; without a file there are none.
func Read(path string) (Book, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Book{}, nil
	}
	if err != nil {
		return Book{}, fmt.Errorf("read contexts: %w", err)
	}
	b, err := parse(raw)
	if err != nil {
		return Book{}, fmt.Errorf("read contexts %s: %w", path, err)
	}
	return b, nil
}

func parse(raw []byte) (b Book, err error) {
	if len(raw) > maxFile {
		return b, fmt.Errorf("%w: %d bytes, at most %d", api.ErrTooLarge, len(raw), maxFile)
	}
	if err := toml.NewDecoder(bytes.NewReader(raw)).DisallowUnknownFields().Decode(&b); err != nil {
		var strict *toml.StrictMissingError
		if errors.As(err, &strict) {
			return b, fmt.Errorf("unknown key:\n%s", strict.String())
		}
		return b, err
	}
	return b, b.Validate()
}

// Update changes the contexts at path; two commands at the same time do so one
// after the other.
func Update(ctx context.Context, path string, change func(*Book) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write contexts: %w", err)
	}
	lock, err := lockfile.Wait(ctx, path+".lock")
	if err != nil {
		return fmt.Errorf("write contexts: %w", err)
	}
	defer lock.Release()
	b, err := Read(path)
	if err != nil {
		return err
	}
	if b.Contexts == nil {
		b.Contexts = map[string]Context{}
	}
	if err := change(&b); err != nil {
		return err
	}
	if err := b.Validate(); err != nil {
		return err
	}
	raw, err := toml.Marshal(b)
	if err != nil {
		return fmt.Errorf("write contexts: %w", err)
	}
	return atomicfile.Write(path, raw, 0o600)
}
