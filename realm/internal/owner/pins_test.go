package owner

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/realm-mesh/realm/api"
)

// What is pinned is needed, until it is not, by whoever signs it and may.
func TestPins(t *testing.T) {
	disk, other := api.BlobInfo{SHA256: api.Sum([]byte("disk")), Size: 70 << 30 / 4}, api.BlobInfo{SHA256: api.Sum([]byte("other")), Size: 1}
	for name, granted := range map[string]*api.Grant{"owner": nil, "granted": {May: []api.Right{api.RightPush}, Prefix: "i", Since: now.UTC()}} {
		t.Run(name, func(t *testing.T) {
			r := newRealm(t)
			s := r.s
			if granted != nil {
				s = r.granted(*granted)
			}
			for i, step := range []struct {
				act  Act
				err  error
				want []api.BlobInfo
			}{
				{Unpin("image"), ErrNotPinned, nil},
				{Pin("image", disk), nil, []api.BlobInfo{disk}},
				{Pin("image", disk), ErrUnchanged, []api.BlobInfo{disk}},
				{Pin("image", other), nil, []api.BlobInfo{other}},
				{Pin("i2", api.BlobInfo{}), errSome, []api.BlobInfo{other}},
				{Unpin("image"), nil, nil},
				{Unpin("image"), ErrNotPinned, nil},
				{Pin("image", disk), nil, []api.BlobInfo{disk}},
			} {
				signed, err := s.Act(r.l, step.act, now, now)
				if step.err == nil && err == nil {
					err = s.Check(r.l, signed, now)
				}
				if (err == nil) != (step.err == nil) || !errors.Is(step.err, errSome) && !errors.Is(err, step.err) {
					t.Fatalf("step %d: %v, want %v", i, err, step.err)
				}
				var got []api.BlobInfo
				all, _ := r.l.References(now)
				for _, r := range all {
					got = append(got, api.BlobInfo{SHA256: r.Blob, Size: r.Size})
				}
				if len(got) != len(step.want) || len(got) > 0 && got[0] != step.want[0] {
					t.Errorf("step %d: %v, want %v", i, got, step.want)
				}
			}
		})
	}
}

// A grant that says nothing about the name of a pin does not do for it.
func TestPinOutsideAGrant(t *testing.T) {
	for name, g := range map[string]api.Grant{
		"another prefix": {May: []api.Right{api.RightPush}, Prefix: "ci-", Since: now.UTC()},
		"jobs alone":     {May: []api.Right{api.RightJob}, Since: now.UTC()},
		"some members":   {May: []api.Right{api.RightPush}, Tags: []string{"edge"}, Since: now.UTC()},
	} {
		r := newRealm(t)
		s := r.granted(g)
		signed, err := s.Act(r.l, Pin("image", api.BlobInfo{SHA256: api.Sum(nil)}), now, now)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Check(r.l, signed, now); !errors.Is(err, ErrRights) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPinned(t *testing.T) {
	blob := api.BlobInfo{SHA256: api.Sum([]byte("x")), Size: 1}
	body, err := json.Marshal(api.Pin{BlobInfo: blob})
	if err != nil {
		t.Fatal(err)
	}
	pin := api.Intent{Ref: PinRef("image"), Body: body}
	if got, err := Pinned(pin); err != nil || got != blob {
		t.Errorf("%v %v", got, err)
	}
	if got := What(pin); got != "keeps sha256 "+blob.SHA256.Short()+", 1 bytes" {
		t.Error(got)
	}
	for name, change := range map[string]func(*api.Intent){
		"taken back":       func(in *api.Intent) { in.Tombstone, in.Body = true, nil },
		"another kind":     func(in *api.Intent) { in.Kind = api.KindFunction },
		"of no blob":       func(in *api.Intent) { in.Body = []byte(`{}`) },
		"in another words": func(in *api.Intent) { in.Body = []byte(`{"copies":1}`) },
	} {
		in := pin
		change(&in)
		if _, err := Pinned(in); err == nil {
			t.Errorf("%s: it pins something", name)
		}
		if got := What(in); got != "pin" && got != "removed" && in.Kind == api.KindPin {
			t.Errorf("%s: %s", name, got)
		}
	}
}

var errSome = errors.New("some error")
