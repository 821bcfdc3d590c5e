package oci

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

const (
	maxTags     = 100             // that are asked for, to name those that there are
	tagPatience = 5 * time.Second // that a list of them may take
)

// explain says what to do about an error of a registry. Addresses that it has led on to
// are left out: they may carry signatures.
func explain(ctx context.Context, repo *remote.Repository, ref Ref, err error) error {
	host := ref.at.Registry
	var answer *errcode.ErrorResponse
	var way *url.Error
	switch {
	case errors.Is(err, auth.ErrBasicCredentialNotFound):
		return fmt.Errorf("read %s: %s wants a login: docker login %s", ref, host, host)
	case errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden):
		return fmt.Errorf("read %s: %s does not let you read it, or has no such repository (%s): look at its name, then docker login %s", ref, host, status(answer), host)
	case errors.Is(err, errdef.ErrNotFound), errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound:
		return missing(ctx, repo, ref)
	case errors.Is(err, errdef.ErrSizeExceedsLimit):
		return fmt.Errorf("read %s: its manifest has more than %d KiB: it is none", ref, maxManifest>>10)
	case errors.As(err, &answer):
		return fmt.Errorf("read %s: %s answers %s: try again later", ref, host, status(answer))
	case errors.As(err, &way):
		return fmt.Errorf("read %s: reach %s: %w%s", ref, host, way.Err, plainHint(way.Err))
	}
	return fmt.Errorf("read %s: %w", ref, shown{err})
}

// shown is an error of a stranger, fit to be shown.
type shown struct{ error }

func (s shown) Unwrap() error { return s.error }

func (s shown) Error() string {
	const most = 300
	text := strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, s.error.Error())
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}

// plainHint says why a registry in the local network is not read.
func plainHint(err error) string {
	if strings.Contains(err.Error(), "HTTP response to HTTPS client") {
		return ": it has plain http alone, which is read from this machine itself only: give it a certificate"
	}
	return ""
}

// status is an answer in words: its code, and what the registry says first.
func status(r *errcode.ErrorResponse) string {
	text := fmt.Sprintf("%d %s", r.StatusCode, http.StatusText(r.StatusCode))
	if len(r.Errors) > 0 && r.Errors[0].Message != "" {
		text += ": " + clip(r.Errors[0].Message)
	}
	return text
}

// errEnough ends a list of tags.
var errEnough = errors.New("enough")

// missing says what there is in the place of what is not.
func missing(ctx context.Context, repo *remote.Repository, ref Ref) error {
	if ref.Pinned() {
		return fmt.Errorf("read %s: the registry has nothing of that digest there: look at it, or name a tag", ref)
	}
	ctx, cancel := context.WithTimeout(ctx, tagPatience)
	defer cancel()
	var tags []string
	err := repo.Tags(ctx, "", func(page []string) error {
		for _, t := range page[:min(len(page), maxTags)] {
			tags = append(tags, clip(t))
		}
		return errEnough
	})
	switch {
	case err != nil && !errors.Is(err, errEnough):
		return fmt.Errorf("read %s: it is not there: look at its name and tag", ref)
	case len(tags) == 0:
		return fmt.Errorf("read %s: %s has no tags at all: push it first", ref, ref.repository())
	}
	return fmt.Errorf("read %s: there is no tag %s; there is %s", ref, ref.at.Reference, few(tags))
}
