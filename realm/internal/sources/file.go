package sources

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	"github.com/realm-mesh/realm/api"
)

// Fetch downloads what an address has, of any kind, which must have the digest want. The
// file is removed by [Finder.Close].
func (f *Finder) Fetch(ctx context.Context, from *url.URL, want api.Digest) (path string, err error) {
	f.note("Downloading %s", from.Redacted())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from.String(), http.NoBody)
	if err != nil {
		return "", fmt.Errorf("download file: %w", err)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return "", fmt.Errorf("download file: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("download file %s: the server answers %.80q: open the address in a browser to see why", from.Redacted(), resp.Status)
	}
	dir, err := f.folder()
	if err != nil {
		return "", err
	}
	out, err := os.CreateTemp(dir, "*.blob")
	if err != nil {
		return "", fmt.Errorf("keep download: %w", err)
	}
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(out, sum), io.LimitReader(resp.Body, api.MaxBlob+1))
	if closed := out.Close(); err == nil {
		err = closed
	}
	switch {
	case err != nil:
		return "", fmt.Errorf("download file %s: %w", from.Redacted(), err)
	case size > api.MaxBlob:
		return "", fmt.Errorf("download file %s: it is larger than a blob may be, %d GiB", from.Redacted(), api.MaxBlob>>30)
	}
	var got api.Digest
	sum.Sum(got[:0])
	if got != want {
		return "", fmt.Errorf("what %s answers is another file than sha256_hex says: its sha256 is %s, not %s", from.Redacted(), got, want)
	}
	return out.Name(), nil
}
