package rollback

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/diff"
)

var (
	// ErrNone says that there is nothing to go back to.
	ErrNone = errors.New("there is no earlier version that asked for something else")
	// ErrCurrent says that the version asked for is the one that counts.
	ErrCurrent = errors.New("that is the version that counts")
	// ErrUnknown says that the node does not hold the version asked for.
	ErrUnknown = errors.New("no such version is held here: members keep the newest eight of each signer")
	// ErrNever says that the version asked for never counted.
	ErrNever = errors.New("that version never counted")
	// ErrRemoval says that the version asked for is a removal.
	ErrRemoval = errors.New("that version is a removal: realm rm removes a program")
)

// Last is the version before the one that counts: the newest that ran something
// else, or ran it in another way, else the newest that differs in anything. Of what
// was removed it is the newest that was not. versions are those that are held, the
// newest first. instead is the number of the one that goes on because the one that
// counts has not come up: that is it then. 0: there is none.
func Last(versions []api.Version, instead uint64) (api.Version, error) {
	older := slices.DeleteFunc(slices.Clone(versions), func(v api.Version) bool { return v.State != api.VersionReplaced || v.Tombstone })
	cur, ok := current(versions)
	if !ok || cur.Tombstone {
		if len(older) == 0 {
			return api.Version{}, ErrNone
		}
		return older[0], nil
	}
	goesOn := func(a, b api.Intent) bool { return a.Seq == instead && otherwise(a, b) }
	for _, differs := range []func(a, b api.Intent) bool{goesOn, otherInstance, otherwise} {
		if i := slices.IndexFunc(older, func(v api.Version) bool { return differs(v.Intent, cur.Intent) }); i >= 0 {
			return older[i], nil
		}
	}
	return api.Version{}, ErrNone
}

func current(versions []api.Version) (api.Version, bool) {
	i := slices.IndexFunc(versions, func(v api.Version) bool { return v.State == api.VersionCurrent })
	if i < 0 {
		return api.Version{}, false
	}
	return versions[i], true
}

// otherInstance reports whether instances of a and b are made of different things.
// That they were only started anew does not count.
func otherInstance(a, b api.Intent) bool {
	x, errX := a.Workload()
	y, errY := b.Workload()
	return errX == nil && errY == nil && instance(x) != instance(y)
}

func instance(w api.Workload) api.Digest {
	if c, ok := w.(*api.Component); ok {
		c.Restarted = time.Time{}
	}
	return w.Instance()
}

// otherwise reports whether a and b differ in anything that people ask for.
func otherwise(a, b api.Intent) bool {
	return slices.ContainsFunc(diff.Between(a, b), func(c diff.Change) bool { return c.Field != diff.FieldRestarted })
}

// Number is the version with a number of realm history.
func Number(versions []api.Version, number uint64) (api.Version, error) {
	var found []api.Version
	for _, v := range versions {
		if v.Seq == number {
			found = append(found, v)
		}
	}
	if len(found) == 0 {
		return api.Version{}, fmt.Errorf("number %d: %w%s", number, ErrUnknown, held(versions))
	}
	for _, v := range found {
		switch {
		case v.State != api.VersionCurrent && v.State != api.VersionReplaced:
		case v.Tombstone:
			return v, fmt.Errorf("number %d: %w", number, ErrRemoval)
		case v.State == api.VersionCurrent:
			return v, fmt.Errorf("number %d: %w", number, ErrCurrent)
		default:
			return v, nil
		}
	}
	return api.Version{}, fmt.Errorf("number %d: %w: it is %s", number, ErrNever, found[0].State)
}

// held ends a message with the numbers that are held.
func held(versions []api.Version) string {
	var numbers []string
	for _, v := range versions {
		if v.State == api.VersionReplaced && !v.Tombstone {
			numbers = append(numbers, fmt.Sprint(v.Seq))
		}
	}
	if len(numbers) == 0 {
		return ""
	}
	return "; there are " + strings.Join(slices.Compact(numbers), ", ")
}

// Manifest is a version of a manifest, read.
type Manifest struct {
	api.Version
	Body api.Manifest
}

// Manifests are the versions of a manifest that have counted, the newest first; those
// of a newer version of realm are left out.
func Manifests(versions []api.Version) (out []Manifest) {
	for _, v := range versions {
		m := Manifest{Version: v}
		if v.Tombstone || v.State != api.VersionCurrent && v.State != api.VersionReplaced ||
			api.Decode(v.Body, api.MaxEnvelope, &m.Body) != nil {
			continue
		}
		out = append(out, m)
	}
	return out
}

// Version leaves of all the newest that has a version which its person gave it.
func Version(all []Manifest, version uint64) ([]Manifest, error) {
	for _, m := range all {
		if m.Body.Version == version {
			return []Manifest{m}, nil
		}
	}
	var versions []string
	for _, m := range all {
		versions = append(versions, fmt.Sprint(m.Body.Version))
	}
	return nil, fmt.Errorf("version %d: %w; there are %s", version, ErrUnknown, strings.Join(slices.Compact(versions), ", "))
}
