package owner

import (
	"errors"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// ErrNoSecret says that there is no secret of this name to remove.
var ErrNoSecret = errors.New("there is no such secret")

// SecretRef is what intents about the secret of this name are about.
func SecretRef(n api.Name) api.Ref { return api.Ref{Kind: api.KindSecret, Name: n} }

// SetSecret makes s the newest version of a secret, for the members that target matches.
func SetSecret(n api.Name, target api.Target, s *api.Secret) Act {
	return Act{SecretRef(n), func(*intent.Signed) (Wanted, error) {
		return Wanted{Target: target, Body: s}, s.Validate()
	}}
}

// RemoveSecret removes a secret: a tombstone. Where there is none it is [ErrNoSecret].
func RemoveSecret(n api.Name) Act {
	return Act{SecretRef(n), func(cur *intent.Signed) (Wanted, error) {
		if cur == nil || cur.Tombstone {
			return Wanted{}, ErrNoSecret
		}
		return Wanted{Target: cur.Target, Tombstone: true}, nil
	}}
}
