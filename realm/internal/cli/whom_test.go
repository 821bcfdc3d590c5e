package cli

import (
	"strings"
	"testing"
)

func TestWhom(t *testing.T) {
	all := []someone{{peerA, "alpha"}, {peerB, "twin"}, {peerC, "twin"}}
	for word, want := range map[string]string{
		string(peerA):       "alpha",
		"alpha":             "alpha",
		peerB.Short():       string(peerB),
		"…" + peerB.Short(): string(peerB),
		string(peerC)[:20]:  string(peerC),
		"twin":              "say which, by its id:\n  twin " + string(peerB) + "\n  twin " + string(peerC),
		"12D3Koo":           "may be any of these",
		"alpa":              "did you mean alpha?",
		"XTN":               "realm peers lists them", // too short
		"":                  "realm peers lists them",
		"12D3KooWNobody":    "realm peers lists them",
	} {
		m, err := whom(word, all)
		got := m.Host + " " + string(m.Peer)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}
