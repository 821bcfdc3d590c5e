package engine

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/realm-mesh/realm/engine/meter"
)

func TestUnits(t *testing.T) {
	for name, parts := range map[string][]part{
		"a core module": {{code: []byte("code")}},
		"with an image": {{[]byte("code"), []meter.Segment{{At: 1 << 31, Init: []byte("a")}, {At: 0, Init: []byte("bc")}}}},
		"of components": {{code: []byte("one")}, {[]byte("two"), []meter.Segment{{At: 5, Init: []byte("a")}}}, {code: []byte("three")}},
	} {
		unit := pack(parts)
		if plain := bytes.Equal(unit, parts[0].code); plain != (name == "a core module") {
			t.Errorf("%s: %q", name, unit)
		}
		got, err := unpack(unit)
		if err != nil || !reflect.DeepEqual(got, parts) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if len(parts) == 1 && len(parts[0].image) == 0 {
			continue
		}
		if _, err := unpack(unit[:len(unit)-1]); !errors.Is(err, errUnit) {
			t.Errorf("%s, cut: %v", name, err)
		}
	}
	many := pack(make([]part, maxUnit+1))
	if _, err := unpack(many); !errors.Is(err, errUnit) {
		t.Errorf("too many: %v", err)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(pack([]part{{[]byte("two"), []meter.Segment{{At: 5, Init: []byte("a")}}}, {code: []byte("three")}}))
	f.Add([]byte(unitMagic + "\x00\x00\x00\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, unit []byte) {
		parts, err := unpack(unit)
		if err == nil && len(parts) > 1 && !bytes.Equal(pack(parts), unit) {
			t.Error("what was unpacked is packed otherwise")
		}
	})
}
