package p2p

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/api"
)

func TestConfig(t *testing.T) {
	for name, c := range map[string]Config{
		"no judge":       {Key: newKey(t)},
		"too large":      {Key: newKey(t), Judge: everybody, Proof: make([]byte, api.MaxProof+1)},
		"no private key": {Judge: everybody},
	} {
		if h, err := New(c); err == nil {
			t.Errorf("%s: %v", name, errors.Join(errors.New("a host was made"), h.Close()))
		}
	}
}

// largest is the largest proof of a member.
func largest() []byte {
	return append([]byte("member "), bytes.Repeat([]byte{'x'}, api.MaxProof-len("member "))...)
}

// named takes a peer for a member whose proof names it.
func named(p peer.ID, proof []byte) Standing {
	if string(proof) == p.String() {
		return Member
	}
	return Stranger
}

// TestWhoGetsIn has all kinds of callers on all ways in.
func TestWhoGetsIn(t *testing.T) {
	owner := newKey(t)
	own := []byte(nameOf(t, owner))
	member := Config{Proof: []byte("member")}
	for name, c := range map[string]struct {
		callee, caller Config
		refusedBy      string
	}{
		"member":                {member, member, ""},
		"largest proofs":        {Config{Proof: largest()}, Config{Proof: largest()}, ""},
		"its own proof":         {Config{Judge: named}, Config{Key: owner, Proof: own, Judge: everybody}, ""},
		"empty proof":           {member, Config{}, "callee"},
		"proof of no value":     {member, Config{Proof: []byte("memory")}, "callee"},
		"proof too large":       {member, Config{Proof: append(largest(), 'x')}, "callee"},
		"proof far too large":   {member, Config{Proof: bytes.Repeat([]byte("member "), 10<<10)}, "callee"},
		"proof of another peer": {Config{Judge: named}, Config{Proof: own, Judge: everybody}, "callee"},
		"callee shows nothing":  {Config{Judge: everybody}, member, "caller"},
		"verdict from nowhere":  {Config{Proof: []byte("member"), Judge: func(peer.ID, []byte) Standing { return 7 }}, member, "callee"},
	} {
		t.Run(name, func(t *testing.T) {
			callee := open(t, throughRelays(c.callee))
			for way, ai := range ways(t, callee.Host) {
				tryToEnter(t, way, open(t, c.caller), callee, ai, c.refusedBy)
			}
		})
	}
}

// throughRelays is c with the relays of these tests as members.
func throughRelays(c Config) Config {
	judge := c.Judge
	if judge == nil {
		judge = byProof
	}
	c.Judge = func(p peer.ID, proof []byte) Standing {
		if string(proof) == relayProof {
			return Member
		}
		return judge(p, proof)
	}
	return c
}

func tryToEnter(t *testing.T, way string, caller, callee *place, ai peer.AddrInfo, refusedBy string) {
	t.Helper()
	err := caller.Connect(anyConn(t.Context()), ai)
	if refusedBy == "" {
		if err != nil {
			t.Errorf("%s: %v", way, err)
		} else if err := reaches(t.Context(), caller, callee.ID()); err != nil {
			t.Errorf("%s: %v", way, err)
		} else if c := caller.Network().ConnsToPeer(callee.ID())[0]; strings.Contains(c.RemoteMultiaddr().String(), "p2p-circuit") != (way == "relay") {
			t.Errorf("%s: the connection is by %s", way, c.RemoteMultiaddr())
		}
		if callee.Standing(caller.ID()) != Member || caller.Standing(callee.ID()) != Member {
			t.Errorf("%s: they are %v and %v", way, callee.Standing(caller.ID()), caller.Standing(callee.ID()))
		}
		return
	}
	if err == nil { // it has yet to hear that it is refused
		err = reaches(t.Context(), caller, callee.ID())
	}
	if err == nil || callee.echoes.Load() != 0 {
		t.Errorf("%s: it was served", way)
	}
	// The other side may take it for connected until it hears of the end.
	until(t, way+": they have no connection", func() bool {
		return caller.Network().Connectedness(callee.ID()) == network.NotConnected && callee.Standing(caller.ID()) == Stranger
	})
	had := map[string]int{"callee": callee.saw(caller.ID()), "caller": caller.saw(callee.ID())}
	if had[refusedBy] != 0 {
		t.Errorf("%s: who refuses had %d connections", way, had[refusedBy])
	}
}
