package cli

import (
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
)

func TestParseDigits(t *testing.T) {
	full := api.Sum([]byte("x")).String()
	for in, want := range map[string]digits{
		full:                             digits(full),
		strings.ToUpper(full):            digits(full),
		"sha256:" + full:                 digits(full),
		"93a44b":                         "93a44b",
		"SHA256:93A44BBB96C7":            "93a44bbb96c7",
		"93a44bbb96c7…":                  "93a44bbb96c7",
		"93a44":                          "",
		"":                               "",
		"sha256:":                        "",
		"…":                              "",
		"93a44bbb96cg":                   "",
		"../../etc/passwd":               "",
		"sha256:sha256:93a44bbb96c7":     "",
		full + "0":                       "",
		strings.Repeat("0", allDigits):   "",
		strings.Repeat("0", allDigits-1): digits(strings.Repeat("0", allDigits-1)),
	} {
		got, err := parseDigits(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v, want %q", in, got, err, want)
		}
	}
}

// Whatever a person types, what comes of it can stand in a path, and means what they
// typed.
func FuzzParseDigits(f *testing.F) {
	for _, s := range []string{"", "93a44bbb96c7", "sha256:93a44bbb96c7…", strings.Repeat("0", 64), strings.Repeat("a", 64), strings.Repeat("F", 65), "\x00", "…………", "ſha256:abcdef", "ABCDEF"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := parseDigits(s)
		if err != nil {
			if d != "" {
				t.Errorf("%q: %q and %v", s, d, err)
			}
			return
		}
		if len(d) < leastDigits || len(d) > allDigits || strings.Trim(string(d), "0123456789abcdef") != "" {
			t.Errorf("%q: %q", s, d)
		}
		if !strings.Contains(strings.ToLower(s), string(d)) {
			t.Errorf("%q: %q is not what was typed", s, d)
		}
		full, whole := d.whole()
		if whole != (len(d) == allDigits) || whole && (!d.begin(full) || full.String() != string(d)) {
			t.Errorf("%q: whole %v, %s", s, whole, full)
		}
		again, err := parseDigits(string(d))
		if err != nil || again != d {
			t.Errorf("%q: %q, then %q %v", s, d, again, err)
		}
	})
}

func TestAmbiguousDigits(t *testing.T) {
	var found []api.Digest
	for i := range 10 {
		d := api.Sum([]byte{byte(i)})
		copy(d[:], "\xab\xcd\xef")
		found = append(found, d)
	}
	text := digits("abcdef").ambiguous(found).Error()
	if !strings.HasPrefix(text, "10 blobs begin with abcdef: give more digits:\n  "+found[0].String()) || !strings.HasSuffix(text, "\n  and 2 more") || strings.Count(text, "\n") != 9 {
		t.Error(text)
	}
}

func TestParseSize(t *testing.T) {
	for in, want := range map[string]int64{
		"1": 1, "4096": 4096, "500MiB": 500 << 20, "1.5GiB": 3 << 29, "2 gib": 2 << 30, "2G": 2 << 30, "10kb": 10_000, "1TB": 1e12, "0.5KiB": 512, ".5k": 512, "1024TiB": 1 << 50,
		"": 0, "0": 0, "-1": 0, "MiB": 0, "5 apples": 0, "1e9": 0, "0x10": 0, "1_000": 0, "Inf": 0, "nan": 0, "1025TiB": 0, "1.2.3": 0, "5MiB5": 0, "５": 0,
	} {
		if got, err := parseSize(in); got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d %v, want %d", in, got, err, want)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"1", "2GiB", "1.5 MB", "", "1e300", "999999999999999999999", "0.0000001", " 1", "1 ", "İ1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parseSize(s)
		if err == nil && (n < 1 || n > maxSize) || err != nil && n != 0 {
			t.Errorf("%q: %d %v", s, n, err)
		}
	})
}
