package keep

import (
	"maps"
	"time"

	"github.com/realm-mesh/realm/api"
)

// goFor is how long after others have vouched for a blob this node may be removing it.
const goFor = 2 * time.Minute

// going are blobs that this node may be removing, on the word of others. It is used
// under the keeper's lock.
type going struct {
	blobs map[api.Digest]gone
	tidy  int // size at which those are dropped that are over
}

type gone struct {
	asking int       // questions that are not answered yet
	until  time.Time // when it is removed, or stays
}

// begin notes that others are asked about a blob.
func (g *going) begin(blob api.Digest) {
	if g.blobs == nil {
		g.blobs = map[api.Digest]gone{}
	}
	is := g.blobs[blob]
	is.asking++
	g.blobs[blob] = is
}

// end notes their answer: whether the blob may go.
func (g *going) end(blob api.Digest, goes bool, now time.Time) {
	is := g.blobs[blob]
	is.asking--
	if goes {
		is.until = now.Add(goFor)
	}
	g.blobs[blob] = is
	if is.over(now) {
		delete(g.blobs, blob)
	}
	if len(g.blobs) > g.tidy {
		maps.DeleteFunc(g.blobs, func(_ api.Digest, is gone) bool { return is.over(now) })
		g.tidy = 2*len(g.blobs) + 64
	}
}

func (is gone) over(now time.Time) bool { return is.asking == 0 && !now.Before(is.until) }

// has reports whether a blob may be on its way out.
func (g *going) has(blob api.Digest, now time.Time) bool {
	is, known := g.blobs[blob]
	return known && !is.over(now)
}
