package owner

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// VolumeRef is what intents about the volume of this name are about.
func VolumeRef(n api.Name) api.Ref { return api.Ref{Kind: api.KindVolume, Name: n} }

// DecideVolume decides about the copies of a volume. change gets what was decided before,
// and the epoch from which on copies count that this is not about.
func DecideVolume(n api.Name, change func(v *api.Volume, next uint64)) Act {
	return Act{VolumeRef(n), func(cur *intent.Signed) (Wanted, error) {
		v := new(api.Volume)
		if cur != nil && !cur.Tombstone {
			if err := api.Decode(cur.Body, api.MaxEnvelope, v); err != nil {
				return Wanted{}, err
			}
		}
		next := max(v.Since, v.Cleared)
		for _, c := range v.Copies {
			next = max(next, c.Since, c.Cleared)
		}
		change(v, next+1)
		return Wanted{Body: v}, v.Validate()
	}}
}

// SetCopy says what is decided of a member's copy, in the place of what was said before.
func SetCopy(v *api.Volume, c api.VolumeCopy) {
	v.Copies = slices.DeleteFunc(v.Copies, func(o api.VolumeCopy) bool { return o.Peer == c.Peer })
	v.Copies = append(v.Copies, c)
	slices.SortFunc(v.Copies, func(a, b api.VolumeCopy) int { return cmp.Compare(a.Peer, b.Peer) })
}

// Read signs that whoever shows it may read a member's copy of a volume, for a while.
func (s Signer) Read(n api.Name, p api.PeerID, now time.Time) ([]byte, error) {
	return intent.SignRead(api.VolumeRead{Realm: s.Realm, Volume: n, Peer: p, Issued: now, Expires: now.Add(readFor)}, s.Key.Signer())
}

// readFor is how long the word to read a volume is good for: it is shown at once.
const readFor = 10 * time.Minute

// volumeText says what was decided of a volume.
func volumeText(v api.Volume) string {
	var parts []string
	switch {
	case v.Cleared > 0 && v.Cleared >= v.Since:
		parts = append(parts, "cleared")
	case v.Since > 0:
		parts = append(parts, "begun anew")
	}
	for _, c := range v.Copies {
		what := "given up"
		switch {
		case c.Files != nil:
			what = "of sha256 " + c.Files.SHA256.Short()
		case c.Cleared >= c.Since:
			what = "cleared"
		}
		parts = append(parts, "…"+c.Peer.Short()+" "+what)
	}
	return strings.Join(parts, ", ")
}
