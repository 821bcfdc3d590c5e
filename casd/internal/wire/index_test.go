package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/realm-mesh/realm/api"
)

func TestWriteIndexIsMarshal(t *testing.T) {
	chunk := api.BlobInfo{SHA256: api.Sum([]byte("chunk")), Size: 12345}
	for _, chunks := range [][]api.BlobInfo{nil, {}, {chunk}, {chunk, chunk}, slices.Repeat([]api.BlobInfo{chunk}, 10_000)} {
		idx := api.BlobIndex{BlobInfo: api.BlobInfo{SHA256: api.Sum([]byte("blob")), Size: 7}, Chunks: chunks}
		want, err := json.Marshal(idx)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := WriteIndex(&got, idx); err != nil || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%d chunks: %d bytes, want %d (%v)", len(chunks), got.Len(), len(want), err)
		}
		full := errors.New("full")
		if err := WriteIndex(failing{full}, idx); !errors.Is(err, full) {
			t.Errorf("%d chunks to a writer that is full: %v", len(chunks), err)
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
