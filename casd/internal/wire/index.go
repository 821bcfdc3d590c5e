package wire

import (
	"bufio"
	"encoding/json"
	"io"

	"github.com/realm-mesh/realm/api"
)

// WriteIndex writes the JSON of an index, byte for byte what [json.Marshal] makes of it,
// piece by piece: that of a large blob takes up to [api.MaxBlobIndex].
func WriteIndex(w io.Writer, idx api.BlobIndex) error {
	chunks := idx.Chunks
	if len(chunks) == 0 {
		return write(w, idx)
	}
	idx.Chunks = []api.BlobInfo{}
	head, err := json.Marshal(idx)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 32<<10)
	_, _ = out.Write(head[:len(head)-len("]}")]) // the writer keeps its error for Flush
	for i, c := range chunks {
		if i > 0 {
			_ = out.WriteByte(',')
		}
		if err := write(out, c); err != nil {
			return err
		}
	}
	_, _ = out.WriteString("]}")
	return out.Flush()
}

func write(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = w.Write(b)
	}
	return err
}
