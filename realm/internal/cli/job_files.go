package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/jobfile"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/sources"
	"github.com/realm-mesh/realm/realm/internal/tomlfile"
)

// headOf is the beginning of a file.
func headOf(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	defer f.Close()
	return head(f)
}

func head(r io.Reader) ([]byte, error) {
	b := make([]byte, jobfile.HeadBytes)
	n, err := io.ReadFull(r, b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("read file: %w", err)
	}
	return b[:n], nil
}

// stocker brings what jobs need into the store of the node, each file once.
type stocker struct {
	app    *app
	node   *node.Node
	finder *sources.Finder
	done   map[string]stocked // by path, or text
}

type stocked struct {
	blob api.BlobInfo
	head []byte
}

func (a *app) newStocker(n *node.Node) *stocker {
	return &stocker{a, n, sources.New(n, a.note), map[string]stocked{}}
}

// plan fills the blobs of a plan in.
func (s *stocker) plan(ctx context.Context, p *jobfile.Plan) error {
	program, err := s.blob(ctx, p.Program)
	if err != nil {
		return err
	}
	if err := p.Fit(program.head); err != nil {
		return err
	}
	p.Body.Runtime.Program = program.blob
	for i, b := range p.Stages {
		stage, err := s.blob(ctx, b)
		if err != nil {
			return err
		}
		p.Body.PreStage[i].Blob = stage.blob
	}
	return nil
}

// blob finds what a job file names.
func (s *stocker) blob(ctx context.Context, b jobfile.Blob) (got stocked, err error) {
	switch b.Kind {
	case tomlfile.File:
		got, err = s.file(ctx, b.Path)
	case tomlfile.URL:
		got, err = s.download(ctx, b)
	case tomlfile.OCI:
		got, err = s.pull(ctx, b)
	default:
		got, err = s.stored(ctx, b.Source.SHA256)
	}
	if err == nil {
		err = otherFile(b, got.blob.SHA256)
	}
	if err != nil {
		return got, fmt.Errorf("%s: %w", b.At, err)
	}
	return got, nil
}

// file stores a file of this machine on the node, and shows how far that is.
func (s *stocker) file(ctx context.Context, path string) (got stocked, err error) {
	if got, ok := s.done[path]; ok {
		return got, nil
	}
	if path == stdio {
		return got, errors.New("- is no file here: name one")
	}
	in, err := s.app.openInput(path)
	if err != nil {
		return got, err
	}
	defer in.Close()
	if got.head, err = headOf(path); err != nil {
		return got, err
	}
	shown := s.app.newProgress(in.name, in.size)
	stored, err := s.app.store(ctx, s.node, in, shown)
	shown.end()
	if err != nil {
		return got, err
	}
	got.blob = stored.BlobInfo
	s.app.say("%s: %s, sha256 %s, is stored on this node", in.name, sizeText(got.blob.Size), got.blob.SHA256.Short())
	s.done[path] = got
	return got, nil
}

// download stores what an address has, unless the node has it.
func (s *stocker) download(ctx context.Context, b jobfile.Blob) (stocked, error) {
	if _, here, err := s.node.Here(ctx, b.SHA256); err == nil && here {
		return s.stored(ctx, b.SHA256)
	}
	path, err := s.finder.Fetch(ctx, b.URL, b.SHA256)
	if err != nil {
		return stocked{}, err
	}
	return s.file(ctx, path)
}

// pull stores what a registry has, unless its digest is given and the node has it.
func (s *stocker) pull(ctx context.Context, b jobfile.Blob) (stocked, error) {
	if !b.SHA256.IsZero() {
		if _, here, err := s.node.Here(ctx, b.SHA256); err == nil && here {
			return s.stored(ctx, b.SHA256)
		}
	}
	if got, ok := s.done[b.Text]; ok {
		return got, nil
	}
	artifact, err := s.finder.Pull(ctx, b.Ref)
	if err != nil {
		return stocked{}, err
	}
	got, err := s.file(ctx, artifact.Path)
	if err == nil {
		s.done[b.Text] = got
	}
	return got, err
}

// stored looks at a blob of the realm, which the node has when this returns.
func (s *stocker) stored(ctx context.Context, d api.Digest) (got stocked, err error) {
	info, here, err := s.node.Here(ctx, d)
	if err == nil && !here {
		info, err = s.app.fetch(ctx, s.node, d)
	}
	if err != nil {
		return got, err
	}
	got.blob = info
	if info.Size == 0 {
		return got, nil
	}
	in, err := s.node.Open(ctx, d, 0)
	if err != nil {
		return got, err
	}
	defer in.Close()
	got.head, err = head(in)
	return got, err
}

// parseAsset reads [NAME=]PATH.
func parseAsset(text string) (name, path string, err error) {
	path = text
	if n, p, ok := strings.Cut(text, "="); ok && api.ValidFile(n) {
		name, path = n, p
	} else {
		name = filepath.Base(path)
	}
	if path == "" || !api.ValidFile(name) {
		return "", "", fmt.Errorf("--asset %.80q: want PATH, or NAME=PATH where the file is to have another name", text)
	}
	return name, path, nil
}

// parseUse reads JOB:NAME[=AS].
func parseUse(text string) (a api.JobAsset, err error) {
	from, as, renamed := strings.Cut(text, "=")
	job, artifact, ok := strings.Cut(from, ":")
	if !renamed {
		as = artifact
	}
	if _, err := api.ParseName(job); err != nil || !ok || !api.ValidFile(artifact) || !api.ValidFile(as) {
		return a, fmt.Errorf("--use-artifact %.80q: want JOB:NAME, or JOB:NAME=AS where the file is to have another name", text)
	}
	return api.JobAsset{Name: as, Job: api.Name(job), From: artifact}, nil
}
