package keep

import (
	"testing"

	"github.com/realm-mesh/realm/api"
)

// The size that a member tells counts only where it is not known, and can be one.
func TestSizesThatMembersTell(t *testing.T) {
	for _, tt := range []struct{ known, told, want int64 }{
		{7, 7, 7}, {7, api.MaxBlob, 7}, {0, 9, 9}, {0, -1, 0}, {0, api.MaxBlob + 1, 0},
	} {
		c := api.BlobCopies{BlobInfo: api.BlobInfo{Size: tt.known}}
		if put(&c, []answer{{peer: peerID(1), has: true, size: tt.told}}, true); c.Size != tt.want || len(c.Have) != 1 {
			t.Errorf("known %d, told %d: %+v, want size %d", tt.known, tt.told, c, tt.want)
		}
	}
}
