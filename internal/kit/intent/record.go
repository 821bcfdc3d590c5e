package intent

import (
	"crypto"
	"encoding/json"
	"fmt"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// SignRecord signs what a member says of an execution, with its node key. The record must
// be of that member.
func SignRecord(rec api.JobRecord, key crypto.Signer) ([]byte, error) {
	payload, err := json.Marshal(rec)
	if err == nil {
		err = rec.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("sign record of %s: %w", rec.Job, err)
	}
	env, by, err := seal(api.PayloadRecord, payload, key)
	if err == nil && keys.Peer(by.Key()) != rec.Peer {
		err = fmt.Errorf("it is said by %s", rec.Peer)
	}
	if err != nil {
		return nil, fmt.Errorf("sign record of %s: %w", rec.Job, err)
	}
	raw, err := json.Marshal(envelope{Envelope: *env})
	if err == nil && len(raw) > api.MaxRecord {
		err = fmt.Errorf("%w: %d bytes", api.ErrTooLarge, len(raw))
	}
	if err != nil {
		return nil, fmt.Errorf("sign record of %s: %w", rec.Job, err)
	}
	return raw, nil
}

// ReadRecord checks a signed record from outside: its size and shape, and that the member
// that it is of has signed exactly these bytes. Whether that is one of the realm is not
// checked. What newer versions say beside it is passed over.
func ReadRecord(raw []byte) (rec api.JobRecord, err error) {
	if len(raw) > api.MaxRecord {
		return rec, fmt.Errorf("read record: %w: %d bytes", api.ErrTooLarge, len(raw))
	}
	_, payload, by, err := unseal(raw, api.PayloadRecord)
	if err == nil {
		err = api.DecodeFact(payload, api.MaxRecord, &rec)
	}
	if err == nil && keys.Peer(by.Key()) != rec.Peer {
		err = fmt.Errorf("%w: it is not signed by the member that it is of", ErrSignature)
	}
	if err != nil {
		return api.JobRecord{}, fmt.Errorf("read record: %w", err)
	}
	return rec, nil
}
