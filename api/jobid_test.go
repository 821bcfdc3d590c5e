package api_test

import (
	"testing"

	"github.com/realm-mesh/realm/api"
)

func TestSplitJobID(t *testing.T) {
	for id, want := range map[api.Name]struct {
		base   api.Name
		number int
	}{
		"build-1": {"build", 1}, "build-12-3fa2": {"build", 12}, "build-1~a0b1c2": {"build", 1}, "build-1-3fa2~a0b1c2": {"build", 1},
		"build-2-1234": {"build-2", 1234}, "a-3fa2-1": {"a-3fa2", 1}, "x-1-2": {"x-1", 2},
		"build": {}, "build-0": {}, "build-01": {}, "build-": {}, "-1": {}, "build-3fa2": {}, "build-1-3fa": {}, "build-+1": {}, "build-99999999999999999999": {},
	} {
		base, number, ok := api.SplitJobID(id)
		if ok != (want.number > 0) || ok && (base != want.base || number != want.number) || !ok && base != id {
			t.Errorf("%s: %s %d %v", id, base, number, ok)
		}
	}
}

func FuzzSplitJobID(f *testing.F) {
	f.Add("build", 1, "a")
	f.Add("build-2", 1234, "b")
	f.Add("a-3fa2", 7, "c")
	f.Fuzz(func(t *testing.T, text string, n int, peer string) {
		_, _, _ = api.SplitJobID(api.Name(text))
		base, err := api.ParseName(text)
		if err != nil || n < 1 || len(base) > api.MaxJobBase {
			return
		}
		for _, id := range []api.Name{api.JobID(base, n), api.MarkedJobID(base, n, api.PeerID(peer))} {
			got, number, ok := api.SplitJobID(id)
			if !ok || got != base || number != n {
				t.Errorf("%s is %s %d %v", id, got, number, ok)
			}
		}
	})
}
