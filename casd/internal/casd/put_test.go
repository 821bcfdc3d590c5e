package casd

import (
	"bytes"
	"net/http"
	"strconv"
	"testing"

	"github.com/realm-mesh/realm/api"
)

// A put tells how much of the blob was not here, of others' chunks, too.
func TestPutTellsWhatIsNew(t *testing.T) {
	n := start(t, t.TempDir(), nil)
	send := func(b []byte) int {
		t.Helper()
		resp, _ := n.do(http.MethodPut, "/blobs", bytes.NewReader(b))
		fresh, err := strconv.Atoi(resp.Header.Get(api.HeaderNew))
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s, %v", resp.Status, err)
		}
		return fresh
	}
	b := noise(40, mib)
	if got := send(b); got != len(b) {
		t.Errorf("%d bytes of %d are new", got, len(b))
	}
	if got := send(b); got != 0 {
		t.Errorf("%d bytes are new the second time", got)
	}
	longer := append(bytes.Clone(b), noise(41, 10_000)...)
	if got := send(longer); got < 10_000 || got > len(b)/4 {
		t.Errorf("with 10,000 bytes at the end, %d are new", got)
	}
	resp, _ := n.do(http.MethodPut, "/blobs?sha256="+api.Sum(b).String(), bytes.NewReader(longer))
	if got := resp.Header.Get(api.HeaderNew); resp.StatusCode != http.StatusBadRequest || got != "" {
		t.Errorf("one that is refused: %s, %q", resp.Status, got)
	}
}
