package conduct

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/api"
)

// maxStatements is how many numbers of one author are remembered.
const maxStatements = 64

// statement is what an author has said under a number.
type statement struct {
	epoch  int64
	seq    uint64
	digest api.Digest // of the message
}

// Said takes note of a message that author has signed under a number, and reports
// whether it has said something else under it before.
func (b *Book) Said(author peer.ID, epoch int64, seq uint64, digest api.Digest) (equivocated bool) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.record(author, now)
	i := slices.IndexFunc(r.said, func(s statement) bool { return s.epoch == epoch && s.seq == seq })
	if i >= 0 {
		if r.said[i].digest == digest {
			return false
		}
		b.note(author, r, Equivocated, 1, now)
		return true
	}
	if len(r.said) >= maxStatements {
		r.said = slices.Delete(r.said, 0, 1)
	}
	r.said = append(r.said, statement{epoch, seq, digest})
	return false
}
