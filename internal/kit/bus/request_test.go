package bus

import "testing"

func TestSemver(t *testing.T) {
	for in, want := range map[string]string{
		"v1.2.3":             "1.2.3",
		"1.2.3":              "1.2.3",
		"v0.0.0-dev":         "0.0.0+dev",
		"v1.2.3-14-g1a2b3c4": "1.2.3+14-g1a2b3c4",
		"1a2b3c4":            "0.0.0+1a2b3c4",
		"1a2b3c4-dirty":      "0.0.0+1a2b3c4-dirty",
		"v01.2.3":            "0.0.0+01-2-3",
		"":                   "0.0.0",
		"a_b..c":             "0.0.0+a-b-c",
	} {
		if got := semver(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
