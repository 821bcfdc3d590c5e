package intent

import (
	"crypto"
	"fmt"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// SignRecord signs what a member says of an execution, with its node key. The record must
// be of that member.
func SignRecord(rec api.JobRecord, key crypto.Signer) ([]byte, error) {
	raw, by, err := signed(api.PayloadRecord, &rec, key, api.MaxRecord)
	if err == nil && keys.Peer(by.Key()) != rec.Peer {
		err = fmt.Errorf("it is said by %s", rec.Peer)
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
	by, err := opened(raw, api.PayloadRecord, api.MaxRecord, &rec)
	if err == nil && keys.Peer(by.Key()) != rec.Peer {
		err = fmt.Errorf("%w: it is not signed by the member that it is of", ErrSignature)
	}
	if err != nil {
		return api.JobRecord{}, fmt.Errorf("read record: %w", err)
	}
	return rec, nil
}
