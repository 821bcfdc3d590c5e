package sources

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/manifest"
	"github.com/realm-mesh/realm/realm/internal/pack"
	"github.com/realm-mesh/realm/realm/internal/tomlfile"
	"github.com/realm-mesh/realm/realm/internal/wasmfile"
)

const (
	maxRedirects  = 5
	answerWithin  = 30 * time.Second // the head of an answer
	programWithin = 10 * time.Minute // all of it, unless the command ends before
)

// newClient makes what downloads: it follows few redirections, and none to where
// bytes could be changed on their way.
func newClient() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = answerWithin
	return &http.Client{Transport: t, Timeout: programWithin, CheckRedirect: checkRedirect}
}

func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("it leads on more than %d times: give the address where that ends", maxRedirects)
	}
	if !safe(req.URL) {
		return fmt.Errorf("it leads on to %s, which is not https", req.URL.Redacted())
	}
	// What begins elsewhere does not lead into this machine.
	if tomlfile.Loopback(req.URL.Hostname()) && !tomlfile.Loopback(via[0].URL.Hostname()) {
		return fmt.Errorf("it leads on to %s, on this machine itself", req.URL.Redacted())
	}
	return nil
}

// safe reports whether nobody can change what comes from u on its way.
func safe(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && tomlfile.Loopback(u.Hostname())
}

// download brings what an address has into a file.
func (f *Finder) download(ctx context.Context, c manifest.Component) (Program, error) {
	from := c.Source.URL
	f.note("Downloading %s", from.Redacted())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from.String(), http.NoBody)
	if err != nil {
		return Program{}, fmt.Errorf("download program: %w", err)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return Program{}, fmt.Errorf("download program: %w", err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode != http.StatusOK:
		return Program{}, fmt.Errorf("download program %s: the server answers %.80q: open the address in a browser to see why", from.Redacted(), resp.Status)
	case resp.ContentLength > pack.MaxSize:
		return Program{}, tooLarge(from, pack.MaxSize)
	}
	file, err := f.keep(resp.Body, resp.ContentLength, from)
	if err != nil {
		return Program{}, err
	}
	return f.take(ctx, file, nameOf(from), c.SHA256)
}

func tooLarge(from *url.URL, most int64) error {
	return fmt.Errorf("download program: %s is larger than %d MiB, the most that it may have", from.Redacted(), most>>20)
}

// keep writes a program or a package into a file of its own. size is what the server says
// that it has; below 0: it does not.
func (f *Finder) keep(body io.Reader, size int64, from *url.URL) (path string, err error) {
	head := make([]byte, headBytes)
	n, err := io.ReadFull(body, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("download program %s: %w", from.Redacted(), err)
	}
	head = head[:n]
	most := int64(pack.MaxSize)
	if !pack.Is(head) {
		most = api.MaxModule
		if err := wasmfile.Check(head); err != nil {
			return "", fmt.Errorf("download program: what %s answers is %w", from.Redacted(), err)
		}
	}
	if size > most {
		return "", tooLarge(from, most)
	}
	dir, err := f.folder()
	if err != nil {
		return "", err
	}
	out, err := os.CreateTemp(dir, "*.download")
	if err != nil {
		return "", fmt.Errorf("keep download: %w", err)
	}
	got, err := io.Copy(out, io.LimitReader(io.MultiReader(bytes.NewReader(head), body), most+1))
	if closed := out.Close(); err == nil {
		err = closed
	}
	switch {
	case err != nil:
		return "", fmt.Errorf("download program %s: %w", from.Redacted(), err)
	case got > most:
		return "", tooLarge(from, most)
	}
	return out.Name(), nil
}

// headBytes is enough to tell what a download is.
const headBytes = 16

// nameOf is what people are shown of an address.
func nameOf(u *url.URL) string {
	if base := path.Base(u.Path); base != "." && base != "/" {
		return base
	}
	return u.Host
}

// folder is where downloads go; it is made with the first one.
func (f *Finder) folder() (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dir == "" {
		dir, err := os.MkdirTemp("", "realm-apply-")
		if err != nil {
			return "", fmt.Errorf("keep download: %w", err)
		}
		f.dir = dir
	}
	return f.dir, nil
}
