package intent

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
)

// The largest manifest fits an envelope, also with the grant of who has signed it.
func TestLargestManifestFits(t *testing.T) {
	m := api.Manifest{Version: api.MaxSeq}
	for i := range api.MaxComponents {
		name := fmt.Sprintf("%s%04d", strings.Repeat("n", api.MaxNameLen-4), i)
		m.Components = append(m.Components, api.ManifestComponent{Name: api.Name(name), Intent: api.Sum([]byte(name))})
	}
	body, err := json.Marshal(&m)
	if err != nil {
		t.Fatal(err)
	}
	in := pushed()
	in.Ref = api.Ref{Kind: api.KindManifest, Name: api.Name(strings.Repeat("m", api.MaxNameLen))}
	in.Seq, in.Prev, in.Body = api.MaxSeq, api.Sum(nil), body
	s, err := Sign(in, ownerKey)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = s.WithGrant(make([]byte, maxGrant)); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes of %d", len(s.Envelope), api.MaxEnvelope)
}
