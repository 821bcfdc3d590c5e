package intent

import (
	"crypto"
	"encoding/json"
	"fmt"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// SignHoldings signs what a member says of the volumes on it, with its node key.
func SignHoldings(h api.Holdings, key crypto.Signer) ([]byte, error) {
	raw, by, err := signed(api.PayloadHoldings, &h, key, api.MaxHoldings)
	if err == nil && keys.Peer(by.Key()) != h.Peer {
		err = fmt.Errorf("they are of %s", h.Peer)
	}
	if err != nil {
		return nil, fmt.Errorf("sign holdings: %w", err)
	}
	return raw, nil
}

// ReadHoldings checks signed holdings from outside: their size and shape, and that the
// member that they are of has signed exactly these bytes. Whether that is one of the realm
// is not checked. What newer versions say beside it is passed over.
func ReadHoldings(raw []byte) (h api.Holdings, err error) {
	by, err := opened(raw, api.PayloadHoldings, api.MaxHoldings, &h)
	if err == nil && keys.Peer(by.Key()) != h.Peer {
		err = fmt.Errorf("%w: they are not signed by the member that they are of", ErrSignature)
	}
	if err != nil {
		return api.Holdings{}, fmt.Errorf("read holdings: %w", err)
	}
	return h, nil
}

// maxRead is how long a signed [api.VolumeRead] is, at most.
const maxRead = 8 << 10

// SignRead signs that who asks may read a volume.
func SignRead(r api.VolumeRead, key crypto.Signer) ([]byte, error) {
	raw, _, err := signed(api.PayloadVolumeRead, &r, key, maxRead)
	if err != nil {
		return nil, fmt.Errorf("sign read: %w", err)
	}
	return raw, nil
}

// OpenRead checks the size, shape, time and signature of a signed [api.VolumeRead], and returns
// who has signed it. Whether that one may is for the caller.
func OpenRead(raw []byte, now time.Time) (r api.VolumeRead, by keys.Public, err error) {
	by, err = opened(raw, api.PayloadVolumeRead, maxRead, &r)
	if err == nil && (now.After(r.Expires) || now.Before(r.Issued.Add(-readSkew))) {
		err = fmt.Errorf("%w: it was good from %s to %s, and it is %s here: look at both clocks, and ask again", ErrContent,
			r.Issued.Format(time.RFC3339), r.Expires.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	if err != nil {
		return api.VolumeRead{}, by, fmt.Errorf("open read: %w", err)
	}
	return r, by, nil
}

// readSkew is how far the clock of who asks may be ahead.
const readSkew = 5 * time.Minute

// signed puts v into an envelope of at most limit bytes.
func signed(kind string, v api.Validator, key crypto.Signer, limit int) ([]byte, keys.Public, error) {
	payload, err := json.Marshal(v)
	if err == nil {
		err = v.Validate()
	}
	if err != nil {
		return nil, keys.Public{}, err
	}
	env, by, err := seal(kind, payload, key)
	if err != nil {
		return nil, by, err
	}
	raw, err := json.Marshal(envelope{Envelope: *env})
	if err == nil && len(raw) > limit {
		err = fmt.Errorf("%w: %d bytes", api.ErrTooLarge, len(raw))
	}
	return raw, by, err
}

// opened reads into v what an envelope of at most limit bytes holds, and returns who has
// signed it.
func opened(raw []byte, kind string, limit int, v api.Validator) (keys.Public, error) {
	if len(raw) > limit {
		return keys.Public{}, fmt.Errorf("%w: %d bytes", api.ErrTooLarge, len(raw))
	}
	_, payload, by, err := unseal(raw, kind)
	if err == nil {
		err = api.DecodeFact(payload, limit, v)
	}
	return by, err
}
