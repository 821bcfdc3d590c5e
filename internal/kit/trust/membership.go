package trust

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
)

// ErrNoMembership says that nothing makes a node a member yet.
var ErrNoMembership = errors.New("this node is no member yet")

// maxMembership caps the file of a membership, in bytes: what fits into a handshake,
// before it is deflated.
const maxMembership = 64 << 10

// ReadMembership reads the intents that make a node a member; where there are none
// it is [ErrNoMembership]. Whether they count is for a ledger to say.
func ReadMembership(path string) (api.Proof, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return api.Proof{}, ErrNoMembership
	}
	if err != nil {
		return api.Proof{}, fmt.Errorf("read membership: %w", err)
	}
	var p api.Proof
	if err := api.Decode(b, maxMembership, &p); err != nil {
		return api.Proof{}, fmt.Errorf("read membership %s: %w", path, err)
	}
	return p, nil
}

// WriteMembership keeps p at path.
func WriteMembership(path string, p api.Proof) error {
	if err := p.Validate(); err != nil {
		return fmt.Errorf("write membership: %w", err)
	}
	b, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("write membership: %w", err)
	}
	return atomicfile.Write(path, append(b, '\n'), 0o600)
}
