package owner

import (
	"slices"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// NodeRef is what intents about the settings of the node with this key are about.
func NodeRef(k keys.Public) api.Ref {
	return api.Ref{Kind: api.KindNode, Name: api.KeyName(k.Key())}
}

// SetNode changes what the owner wants of the node with this key. Where nothing is
// wanted of it any more the change is a tombstone.
func SetNode(node keys.Public, change func(*api.NodeSettings)) Act {
	return Act{NodeRef(node), func(cur *intent.Signed) (Wanted, error) {
		var was api.NodeSettings
		if cur != nil && !cur.Tombstone {
			if err := api.Decode(cur.Body, api.MaxEnvelope, &was); err != nil {
				return Wanted{}, err
			}
		}
		s := api.NodeSettings{Drain: was.Drain, Roles: slices.Clone(was.Roles)}
		change(&s)
		switch {
		case s.Drain == was.Drain && slices.Equal(s.Roles, was.Roles) && (s.Roles == nil) == (was.Roles == nil):
			return Wanted{}, ErrUnchanged
		case !s.Drain && s.Roles == nil:
			return Wanted{Tombstone: true}, nil
		}
		return Wanted{Body: &s}, s.Validate()
	}}
}
