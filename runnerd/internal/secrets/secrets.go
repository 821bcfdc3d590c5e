package secrets

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/secret"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// ErrRefused says that this node cannot give a program a secret, and why; others may.
var ErrRefused = errors.New("this node cannot give it")

// Realm is what the signed intents say.
type Realm interface {
	Realm() (api.RealmID, bool)
	// Secret is the newest version of a secret; false: there is none.
	Secret(n api.Name) (intent.Signed, bool)
	// May reports why k has not the right to the thing of that name.
	May(k keys.Public, right api.Right, name api.Name) error
	// Meant reports whether p is a member that target matches, whose own words about its roles
	// are own.
	Meant(p api.PeerID, own []string, target api.Target) bool
}

// Peers are the other members that are up.
type Peers interface {
	// Up lists members that may have a key, those of want first.
	Up(want []api.PeerID) []api.PeerID
	// Roles are those that p says itself that it has; false: it is given no secrets.
	Roles(p api.PeerID) (own []string, ok bool)
	// Ask asks p for the key of a version.
	Ask(ctx context.Context, p api.PeerID, a *api.SecretAsk) (*api.SecretGiven, error)
}

// Config says what a Desk works with.
type Config struct {
	Self  api.PeerID
	Key   ed25519.PrivateKey // of the node
	Roles []string           // that the node's settings say
	Dir   string             // of keys that were passed on
	Realm Realm
	Peers Peers
	Log   *slog.Logger
}

// Desk gives secrets. It is safe for use by several goroutines.
type Desk struct{ Config }

// New returns a Desk.
func New(cfg Config) *Desk { return &Desk{cfg} }

// Given are secrets as a program is to see them.
type Given struct {
	Env   map[string]string
	Files map[string][]byte // by path
}

// Give opens the secrets that a component uses which by has signed. Errors that say
// [ErrRefused] are of this node, or of what it was shown; others may pass.
func (d *Desk) Give(ctx context.Context, by keys.Public, uses []api.SecretUse) (g Given, err error) {
	g = Given{Env: map[string]string{}, Files: map[string][]byte{}}
	for _, u := range uses {
		value, err := d.value(ctx, by, u.Name)
		if err != nil {
			return Given{}, fmt.Errorf("secret %s: %w", u.Name, err)
		}
		if u.Env == "" {
			g.Files[u.File] = value
			continue
		}
		if strings.ContainsRune(string(value), 0) {
			return Given{}, fmt.Errorf("secret %s: %w as variable %s: it holds a NUL: give it as a file", u.Name, ErrRefused, u.Env)
		}
		g.Env[u.Env] = string(value)
	}
	return g, nil
}

func (d *Desk) value(ctx context.Context, by keys.Public, n api.Name) ([]byte, error) {
	if err := d.Realm.May(by, api.RightSecret, n); err != nil {
		return nil, fmt.Errorf("%w: the key that has signed the component may not use it: %w. Let the owner push it, or grant its key that: realm grant KEY --may push,secret", ErrRefused, err)
	}
	v, err := d.version(n)
	if err != nil {
		return nil, err
	}
	if !d.Realm.Meant(d.Self, d.Roles, v.Target) {
		return nil, fmt.Errorf("%w: it is meant for other members: set it once more with --peer or --tag, or have the component target those", ErrRefused)
	}
	k, err := d.key(ctx, v)
	if err != nil {
		return nil, err
	}
	return k.Open(v.body, v.Realm, n)
}

// version is the newest version of a secret, read.
type version struct {
	intent.Signed
	body *api.Secret
}

func (d *Desk) version(n api.Name) (version, error) {
	s, ok := d.Realm.Secret(n)
	if !ok || s.Tombstone {
		return version{}, fmt.Errorf("%w: there is no such secret: realm secret set %s", ErrRefused, n)
	}
	v := version{s, new(api.Secret)}
	if err := api.Decode(s.Body, api.MaxEnvelope, v.body); err != nil {
		return version{}, fmt.Errorf("%w: it is of a newer version of Realm: upgrade this node", ErrRefused)
	}
	return v, nil
}

// key is the private half of v: this node's own, one that was passed on before, or one that is
// passed on now.
func (d *Desk) key(ctx context.Context, v version) (secret.Key, error) {
	k, err := secret.Own(v.body, d.Key)
	if !errors.Is(err, secret.ErrNotFor) {
		return k, err
	}
	if raw, err := os.ReadFile(d.kept(v)); err == nil {
		if k, err := secret.Unseal(v.body, raw, d.Key); err == nil {
			return k, nil
		}
	}
	return d.ask(ctx, v)
}

const (
	askPatience = 5 * time.Second // for one member
	askMost     = 8               // members
)

// ask asks members that may have the key of v.
func (d *Desk) ask(ctx context.Context, v version) (secret.Key, error) {
	var has []api.PeerID
	for _, k := range v.body.Keys {
		has = append(has, k.Peer)
	}
	why := errors.New("no member that may have its key is up")
	for i, p := range d.Peers.Up(has) {
		if i == askMost {
			break
		}
		k, err := d.askOne(ctx, p, v)
		if err == nil {
			return k, nil
		}
		if ctx.Err() != nil {
			return secret.Key{}, context.Cause(ctx)
		}
		why = fmt.Errorf("…%s: %w", p.Short(), err)
	}
	return secret.Key{}, fmt.Errorf("its key is not here yet, and is asked for again: %w", why)
}

func (d *Desk) askOne(ctx context.Context, p api.PeerID, v version) (secret.Key, error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	given, err := d.Peers.Ask(ctx, p, &api.SecretAsk{Name: v.Name, Intent: v.Digest})
	if err != nil {
		return secret.Key{}, err
	}
	k, err := secret.Unseal(v.body, given.Sealed, d.Key)
	if err != nil {
		return secret.Key{}, err
	}
	if _, err := k.Open(v.body, v.Realm, v.Name); err != nil {
		return secret.Key{}, err
	}
	if err := d.keep(v, given.Sealed); err != nil {
		d.Log.Warn("the key of a secret is not kept, and is asked for again after a start", telemetry.Error(err))
	}
	return k, nil
}

// kept is the file of the key of v.
func (d *Desk) kept(v version) string {
	return filepath.Join(d.Dir, string(v.Name)+"."+v.Digest.String()+".age")
}

// keep keeps the key of v, sealed as it is, in the place of those of the versions before.
func (d *Desk) keep(v version, sealed []byte) error {
	if err := os.MkdirAll(d.Dir, 0o700); err != nil {
		return fmt.Errorf("keep key of secret %s: %w", v.Name, err)
	}
	if err := atomicfile.Write(d.kept(v), sealed, 0o600); err != nil {
		return fmt.Errorf("keep key of secret %s: %w", v.Name, err)
	}
	d.forget(v.Name, d.kept(v))
	return nil
}

// forget removes the keys of a secret but for one.
func (d *Desk) forget(n api.Name, but string) {
	all, _ := filepath.Glob(filepath.Join(d.Dir, string(n)+".*.age")) // the pattern is good
	for _, file := range all {
		if file != but {
			_ = os.Remove(file) // it is sealed, and of a version that nobody uses
		}
	}
}

// Tidy removes keys of secrets and versions that are not wanted any more.
func (d *Desk) Tidy() {
	entries, err := os.ReadDir(d.Dir)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			d.Log.Warn("look for keys of secrets", telemetry.Error(err))
		}
		return
	}
	for _, e := range entries {
		name, rest, _ := strings.Cut(e.Name(), ".")
		v, err := d.version(api.Name(name))
		if err != nil || rest != v.Digest.String()+".age" {
			_ = os.Remove(filepath.Join(d.Dir, e.Name())) // likewise
		}
	}
}

// Answer gives a member the key of a version, if it is meant for it.
func (d *Desk) Answer(from api.PeerID, a *api.SecretAsk) (*api.SecretGiven, error) {
	v, err := d.version(a.Name)
	if err == nil && v.Digest != a.Intent {
		err = errors.New("another version counts here")
	}
	if err != nil {
		return nil, fmt.Errorf("secret %s: %w", a.Name, err)
	}
	own, ok := d.Peers.Roles(from)
	if !ok || !d.Realm.Meant(from, own, v.Target) {
		d.Log.Warn("a member asked for a secret that is not meant for it", "secret", string(a.Name), telemetry.KeyPeer, string(from))
		return nil, fmt.Errorf("secret %s: it is not meant for you", a.Name)
	}
	k, err := secret.Own(v.body, d.Key)
	if errors.Is(err, secret.ErrNotFor) {
		var raw []byte
		if raw, err = os.ReadFile(d.kept(v)); err == nil {
			k, err = secret.Unseal(v.body, raw, d.Key)
		}
	}
	if err == nil {
		_, err = k.Open(v.body, v.Realm, v.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("secret %s: this member has no key of it", a.Name)
	}
	sealed, err := k.For(from)
	if err != nil {
		return nil, fmt.Errorf("secret %s: %w", a.Name, err)
	}
	return &api.SecretGiven{Sealed: sealed}, nil
}
