package rollback

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

// versions reads a history, the newest first: "3 b stopped", "2 removed", "1 a x5 fork".
func versions(t *testing.T, lines ...string) (out []api.Version) {
	t.Helper()
	for i, line := range lines {
		f := strings.Fields(line)
		v := api.Version{State: api.VersionReplaced}
		if i == 0 {
			v.State = api.VersionCurrent
		}
		v.Kind, v.Name = api.KindComponent, "web"
		if err := json.Unmarshal([]byte(f[0]), &v.Seq); err != nil {
			t.Fatal(err)
		}
		c := api.Component{Module: api.Program{Blob: api.Sum([]byte(f[1])), Size: 1}}
		for _, word := range f[1:] {
			switch {
			case word == "removed":
				v.Tombstone = true
			case word == "stopped":
				c.Stopped = true
			case word == "restarted":
				c.Restarted = time.Unix(int64(v.Seq), 0)
			case strings.HasPrefix(word, "x"):
				c.Replicas = len(word)
			case word == "fork", word == "shadowed", word == "quarantine", word == "replaced":
				v.State = api.VersionState(word)
			}
		}
		if !v.Tombstone {
			v.Body, _ = json.Marshal(&c)
		}
		out = append(out, v)
	}
	return out
}

func TestLast(t *testing.T) {
	for name, c := range map[string]struct {
		lines   []string
		instead uint64
		want    uint64
	}{
		"none":                 {[]string{"1 a"}, 0, 0},
		"the same":             {[]string{"2 a", "1 a"}, 0, 0},
		"another program":      {[]string{"2 b", "1 a"}, 0, 1},
		"over what was tried":  {[]string{"4 b stopped", "3 b xx", "2 b", "1 a"}, 0, 1},
		"only scaled":          {[]string{"3 a xxx", "2 a xx", "1 a xx"}, 0, 2},
		"only stopped":         {[]string{"2 a stopped", "1 a"}, 0, 1},
		"only started anew":    {[]string{"2 a restarted", "1 a"}, 0, 0},
		"back and forth":       {[]string{"3 a", "2 b", "1 a"}, 0, 2},
		"removed":              {[]string{"3 removed", "2 b", "1 a"}, 0, 2},
		"removed before":       {[]string{"3 b", "2 removed", "1 a"}, 0, 1},
		"only removed":         {[]string{"1 removed"}, 0, 0},
		"forks and others":     {[]string{"6 b", "5 c quarantine", "4 c shadowed", "3 c fork", "2 b", "1 a"}, 0, 1},
		"nothing counts":       {[]string{"2 b quarantine", "1 a"}, 0, 1},
		"after a removed fork": {[]string{"3 removed", "2 b fork", "2 a", "1 a"}, 0, 2},
		"bad twice":            {[]string{"3 c", "2 b", "1 a"}, 1, 1},
		"good before":          {[]string{"3 c", "2 b", "1 a"}, 2, 2},
		"goes on, not held":    {[]string{"9 c", "8 b"}, 1, 8},
		"goes on as it is":     {[]string{"3 a", "2 b", "1 a"}, 1, 2},
	} {
		v, err := Last(versions(t, c.lines...), c.instead)
		if v.Seq != c.want || (c.want == 0) != errors.Is(err, ErrNone) {
			t.Errorf("%s: number %d, %v; want %d", name, v.Seq, err, c.want)
		}
	}
}

func TestNumber(t *testing.T) {
	all := versions(t, "9 c quarantine", "8 b replaced", "7 a replaced", "6 removed replaced", "5 b fork", "5 a replaced", "4 a shadowed")
	all[1].State = api.VersionCurrent
	for number, is := range map[uint64]error{9: ErrNever, 8: ErrCurrent, 7: nil, 6: ErrRemoval, 5: nil, 4: ErrNever, 3: ErrUnknown} {
		v, err := Number(all, number)
		if !errors.Is(err, is) || err == nil && (v.Seq != number || v.State != api.VersionReplaced) {
			t.Errorf("%d: %d %v", number, v.Seq, err)
		}
	}
	if _, err := Number(all, 3); !strings.HasSuffix(err.Error(), "there are 7, 5") {
		t.Errorf("got %v", err)
	}
}

func TestManifests(t *testing.T) {
	var all []api.Version
	for i, state := range []api.VersionState{api.VersionCurrent, api.VersionReplaced, api.VersionFork, api.VersionReplaced, api.VersionReplaced} {
		v := api.Version{State: state}
		v.Kind, v.Seq = api.KindManifest, uint64(5-i)
		v.Body, _ = json.Marshal(api.Manifest{Version: []uint64{7, 7, 6, 4, 3}[i], Components: []api.ManifestComponent{}})
		all = append(all, v)
	}
	all[4].Body = []byte(`{"from":"the future"}`)
	read := Manifests(all)
	if len(read) != 3 || read[2].Body.Version != 4 {
		t.Fatalf("got %v", read)
	}
	if m, err := Version(read, 7); err != nil || len(m) != 1 || m[0].Seq != 5 {
		t.Errorf("7: %v %v", m, err)
	}
	if _, err := Version(read, 6); !errors.Is(err, ErrUnknown) || !strings.HasSuffix(err.Error(), "there are 7, 4") {
		t.Errorf("6: %v", err)
	}
}
