package owner

import (
	"errors"
	"fmt"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// ErrNotPinned says that there is no pin of this name to take back.
var ErrNotPinned = errors.New("there is no such pin")

// PinRef is what intents about the pin of this name are about.
func PinRef(n api.Name) api.Ref { return api.Ref{Kind: api.KindPin, Name: n} }

// Pin asks the realm to keep blob under the name n, in the place of what n named
// before. It is [ErrUnchanged] where n names it already.
func Pin(n api.Name, blob api.BlobInfo) Act {
	return Act{PinRef(n), func(cur *intent.Signed) (Wanted, error) {
		if cur != nil && !cur.Tombstone {
			was, err := Pinned(cur.Intent)
			if err == nil && was == blob {
				return Wanted{}, ErrUnchanged
			}
		}
		p := &api.Pin{BlobInfo: blob}
		return Wanted{Body: p}, p.Validate()
	}}
}

// Unpin takes the pin of this name back: a tombstone. Where there is none it is
// [ErrNotPinned].
func Unpin(n api.Name) Act {
	return Act{PinRef(n), func(cur *intent.Signed) (Wanted, error) {
		if cur == nil || cur.Tombstone {
			return Wanted{}, ErrNotPinned
		}
		return Wanted{Tombstone: true}, nil
	}}
}

// Pinned is the blob that a pin names.
func Pinned(in api.Intent) (api.BlobInfo, error) {
	if in.Kind != api.KindPin || in.Tombstone {
		return api.BlobInfo{}, fmt.Errorf("%s pins nothing", in.Ref)
	}
	var p api.Pin
	if err := api.Decode(in.Body, api.MaxEnvelope, &p); err != nil {
		return api.BlobInfo{}, err
	}
	return p.BlobInfo, nil
}
