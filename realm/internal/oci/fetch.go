package oci

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"

	"github.com/realm-mesh/realm/api"
)

// Artifact is a layer that was fetched.
type Artifact struct {
	Path      string     // of the file that has it
	Digest    api.Digest // of its bytes
	Size      int64      // in bytes
	MediaType string     // that the manifest gives it; whatever the bytes are
	Ref       Ref        // what was asked for, by the digest of its manifest
}

// Fetch brings what ref names into a new file in the folder into, over client, which
// bounds how long that takes and where it may be led on to. It tells people through
// note what ref is now. Errors say what to do next.
func Fetch(ctx context.Context, client *http.Client, ref Ref, into string, note func(format string, args ...any)) (a Artifact, err error) {
	repo, err := open(client, ref)
	if err != nil {
		return a, err
	}
	note("Looking up %s", ref)
	manifest, l, err := resolve(ctx, repo, ref)
	if err != nil {
		return a, err
	}
	a = Artifact{Size: l.Size, MediaType: l.MediaType, Ref: ref}
	a.Ref.at.Reference = manifest.Digest.String()
	if a.Digest, err = api.ParseDigest(l.Digest.Encoded()); err != nil {
		return a, fmt.Errorf("read %s: %w", ref, err)
	}
	if !ref.Pinned() {
		note("%s is %s", ref, a.Ref)
	}
	a.Path, err = save(ctx, repo, ref, l, into)
	return a, err
}

// open is the repository of ref, with the logins that docker has.
func open(client *http.Client, ref Ref) (*remote.Repository, error) {
	logins, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
	if err != nil {
		// What the file says is not repeated: it has passwords.
		return nil, errors.New("read logins: docker's config.json cannot be read: mend or move it (~/.docker, or $DOCKER_CONFIG)")
	}
	guarded := *client
	guarded.Transport = guard{client.Transport}
	repo := &remote.Repository{
		Reference: ref.at,
		PlainHTTP: ref.local(),
		Client: &auth.Client{
			Client:     &guarded,
			Cache:      auth.NewCache(),
			Credential: credentials.Credential(logins),
			Header:     http.Header{"User-Agent": {"realm"}},
		},
		ManifestMediaTypes: types(),
		MaxMetadataBytes:   maxManifest,
		TagListPageSize:    maxTags,
	}
	return repo, nil
}

// guard lets nothing out that others could read or change on its way.
type guard struct{ next http.RoundTripper }

func (g guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && (req.URL.Scheme != "http" || !Loopback(req.URL.Hostname())) {
		return nil, fmt.Errorf("it leads to %s over plain http, which is for this machine itself", clip(req.URL.Host))
	}
	next := g.next
	if next == nil {
		next = http.DefaultTransport
	}
	return next.RoundTrip(req)
}

// resolve finds the manifest that ref names, and the layer in it.
func resolve(ctx context.Context, repo *remote.Repository, ref Ref) (manifest, l ocispec.Descriptor, err error) {
	manifest, text, err := read(ctx, repo, ref, ref.at.Reference)
	if err != nil {
		return manifest, l, err
	}
	from := text
	if isIndex(manifest.MediaType) {
		sub, err := entry(text)
		if err != nil {
			return manifest, l, fmt.Errorf("read %s: %w", ref, err)
		}
		if manifest, from, err = read(ctx, repo, ref, sub.Digest.String()); err != nil {
			return manifest, l, err
		}
	}
	if l, err = layer(from); err != nil {
		return manifest, l, fmt.Errorf("read %s: %w", ref, err)
	}
	return manifest, l, nil
}

// read fetches a manifest of the repository.
func read(ctx context.Context, repo *remote.Repository, ref Ref, which string) (d ocispec.Descriptor, text []byte, err error) {
	d, in, err := repo.Manifests().FetchReference(ctx, which)
	if err != nil {
		return d, nil, explain(ctx, repo, ref, err)
	}
	defer in.Close()
	if d.Size > maxManifest {
		return d, nil, fmt.Errorf("read %s: its manifest has more than %d KiB: it is none", ref, maxManifest>>10)
	}
	text, err = content.ReadAll(in, d)
	if err != nil {
		return d, nil, explain(ctx, repo, ref, err)
	}
	return d, text, nil
}

// save writes a layer into a file in dir, which is there only if its digest is right.
func save(ctx context.Context, repo *remote.Repository, ref Ref, l ocispec.Descriptor, dir string) (path string, err error) {
	in, err := repo.Blobs().Fetch(ctx, l)
	if err != nil {
		return "", explain(ctx, repo, ref, err)
	}
	defer in.Close()
	out, err := os.CreateTemp(dir, ref.Base()+"-*")
	if err != nil {
		return "", fmt.Errorf("keep download: %w", err)
	}
	defer func() {
		if closed := out.Close(); closed != nil && err == nil {
			err = fmt.Errorf("keep download: %w", closed)
		}
		if err != nil {
			path = ""
			err = errors.Join(err, os.Remove(out.Name()))
		}
	}()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, sum), io.LimitReader(in, l.Size+1))
	switch got := fmt.Sprintf("%x", sum.Sum(nil)); {
	case err != nil:
		return "", explain(ctx, repo, ref, err)
	case n != l.Size:
		return "", fmt.Errorf("download %s: the registry sends %d bytes or more where its manifest says %d: try again, or tell who runs it", ref, n, l.Size)
	case got != l.Digest.Encoded():
		return "", fmt.Errorf("download %s: the registry sends other bytes than its manifest says, %.12s… in the place of %.12s…: try again, or tell who runs it", ref, got, l.Digest.Encoded())
	}
	return out.Name(), nil
}
