package owner

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// Signer is who signs for a realm: its owner, or somebody whom the owner has granted
// some rights.
type Signer struct {
	Key   Key
	Realm api.RealmID
	Grant *intent.Signed // the grant of Key, which goes with all that it signs; nil: Key is the owner's
}

var (
	// ErrRevoked says that a key had a grant, and has none any more.
	ErrRevoked = errors.New("the grant of your key has been revoked")
	// ErrReplaced says that a key was the owner's, before it was rotated.
	ErrReplaced = errors.New("your key has been replaced by a new one")
	// ErrTaken says that a name is somebody else's, whom the signer may not overrule.
	ErrTaken = errors.New("the name is taken")
	// ErrRights says that a signer may not sign this.
	ErrRights = errors.New("your key may not sign this")
)

// NewSigner says as what k signs by the rotations and grants in l, the ledger of
// realm. Where that is nothing the error says what the owner would have to do.
func NewSigner(k Key, realm api.RealmID, l *ledger.Ledger, now time.Time) (Signer, error) {
	s := Signer{Key: k, Realm: realm}
	if k.Public() == l.Owner() {
		return s, nil
	}
	for _, v := range l.History(api.Ref{Kind: api.KindRotate, Name: api.NameOwner}, now) {
		if v.Signer == k.Public() {
			return s, fmt.Errorf("%w: the owner is %s now, and %s in %s is not: point %s at the new key",
				ErrReplaced, l.Owner(), k.Public(), k.Path, paths.EnvOwnerKey)
		}
	}
	g, ok := l.Current(GrantRef(k.Public()), now)
	switch {
	case !ok:
		return s, fmt.Errorf("%w: it follows %s, and your key %s is %s, which has no grant: point %s at the key of its owner, or ask them to sign: realm grant %s --may push",
			ErrOtherOwner, l.Owner(), k.Path, k.Public(), paths.EnvOwnerKey, k.Public())
	case g.Tombstone:
		return s, fmt.Errorf("%w: %s in %s: make a new key, and ask the owner for a grant for that", ErrRevoked, k.Public(), k.Path)
	}
	s.Grant = &g
	return s, nil
}

// GrantRef is what intents about the grant of a key are about.
func GrantRef(k keys.Public) api.Ref {
	return api.Ref{Kind: api.KindGrant, Name: api.KeyName(k.Key())}
}

// MustOwn is the error of a command that is the owner's alone.
func (s Signer) MustOwn() error {
	if s.Grant == nil {
		return nil
	}
	return fmt.Errorf("%w: only the owner can do that, and %s in %s holds a grant: point %s at the owner's key", ErrRights, s.Key.Public(), s.Key.Path, paths.EnvOwnerKey)
}

// Check adds in, which s has signed, to l, and says why nodes that hold what l does
// would refuse it or not follow it.
func (s Signer) Check(l *ledger.Ledger, in intent.Signed, now time.Time) error {
	err := l.Fresh(in, now)
	if err == nil {
		_, err = l.Add(in, now)
	}
	if err != nil {
		if s.Grant == nil {
			return err
		}
		return fmt.Errorf("%w: %w. Its grant is to %s", ErrRights, err, s.Rights())
	}
	cur, ok := l.Current(in.Ref, now)
	if ok && cur.Digest != in.Digest {
		return fmt.Errorf("%w: %s is %s (number %d): a granted key cannot replace it. Take another name, or ask the owner to remove it first", ErrTaken, in.Ref, whose(l, cur, now), cur.Seq)
	}
	return nil
}

// Rights says what s may sign; "" for the owner, who may sign anything.
func (s Signer) Rights() string {
	if s.Grant == nil {
		return ""
	}
	var g api.Grant
	if err := json.Unmarshal(s.Grant.Body, &g); err != nil {
		return "do what this version cannot read"
	}
	return GrantText(g)
}

// whose says in words who has signed the version that counts.
func whose(l *ledger.Ledger, s intent.Signed, now time.Time) string {
	for _, v := range l.History(s.Ref, now) {
		if v.Digest == s.Digest && v.Owner {
			return "the owner's"
		}
	}
	for _, g := range l.Grants() {
		if g.Key == s.By() && g.Comment != "" {
			return fmt.Sprintf("by %q (%s), whose grant is older", g.Comment, s.Signer)
		}
	}
	return fmt.Sprintf("by %s, whose grant is older", s.Signer)
}

// GrantText says what a grant allows.
func GrantText(g api.Grant) string {
	var may []string
	for _, r := range g.May {
		may = append(may, string(r))
	}
	text := strings.Join(may, " and ") + " any name"
	if g.Prefix != "" {
		text = fmt.Sprintf("%s names that begin with %s", strings.Join(may, " and "), g.Prefix)
	}
	if len(g.Tags) > 0 {
		text += ", for nodes with the tag " + strings.Join(g.Tags, " or ")
	}
	if g.Expires.IsZero() {
		return text + ", without end"
	}
	return text + ", until " + g.Expires.Local().Format("2006-01-02 15:04")
}
