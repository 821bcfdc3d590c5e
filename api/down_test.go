package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestDown reads what members say of their daemons: those of other versions, too.
func TestDown(t *testing.T) {
	many := strings.Repeat(`"x",`, maxDaemonList)
	for down, want := range map[string]DaemonList{
		`[]`:                                nil,
		`null`:                              nil,
		`["runnerd"]`:                       {Runnerd},
		`["casd","gatewayd"]`:               {Casd, Gatewayd},
		`["casd","jobd","runnerd","zeitd"]`: {Casd, Runnerd},
		`["jobd"]`:                          nil,
		`["launcher","cli"]`:                nil, // they are no daemons
		`[` + strings.TrimSuffix(many, `,`) + `]`: nil,
	} {
		var f PeerFact
		err := DecodeFact(fmt.Appendf(nil, `{"peer":%q,"down":%s}`, somePeer, down), MaxMessage, &f)
		if err != nil || !slices.Equal(f.Down, want) || f.Down == nil != (want == nil) {
			t.Errorf("%s: %v %v, want %v", down, f.Down, err, want)
		}
		for _, d := range Daemons() {
			if f.IsDown(d) != slices.Contains(want, d) {
				t.Errorf("%s: %s is down: %v", down, d, f.IsDown(d))
			}
		}
	}
	for _, down := range []string{`["runnerd","casd"]`, `["casd","casd"]`, `"casd"`, `[7]`, `[` + many + `"x"]`} {
		if err := DecodeFact(fmt.Appendf(nil, `{"peer":%q,"down":%s}`, somePeer, down), MaxMessage, &PeerFact{}); err == nil {
			t.Errorf("%s is taken", down)
		}
	}
	b, err := json.Marshal(PeerFact{Peer: somePeer})
	if err != nil || strings.Contains(string(b), "down") {
		t.Errorf("a member that is well says %s %v", b, err)
	}
}

func FuzzDown(f *testing.F) {
	f.Add([]byte(`["casd","runnerd"]`))
	f.Add([]byte(`["jobd","casd"]`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var l, again DaemonList
		if json.Unmarshal(b, &l) != nil || l.check() != nil {
			return
		}
		out, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out, &again); err != nil || !slices.Equal(l, again) || again.check() != nil {
			t.Errorf("%s is %v, then %v (%v)", b, l, again, err)
		}
	})
}
