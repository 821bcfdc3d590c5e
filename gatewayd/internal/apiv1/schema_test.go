package apiv1

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/gatewayd/internal/apiv1/schematest"
)

// fill gives every field of v, and of what is inside, a value.
func fill(v reflect.Value, depth int) {
	if v.Type() == typeTime {
		v.Set(reflect.ValueOf(time.Unix(1, 5).UTC()))
		return
	}
	if values := enumerables[v.Type()]; values != nil {
		v.SetString(values[0])
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString("x")
	case reflect.Int, reflect.Int64:
		v.SetInt(-7)
	case reflect.Uint8, reflect.Uint64, reflect.Uint16, reflect.Uint32:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), depth)
		}
	case reflect.Slice:
		if v.Type() == typeRaw {
			v.SetBytes([]byte(`{"any":1}`))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), depth+1)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		elem := reflect.New(v.Type().Elem()).Elem()
		fill(elem, depth+1)
		v.SetMapIndex(reflect.ValueOf("k").Convert(v.Type().Key()), elem)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), depth+1)
			}
		}
	default:
		panic(v.Type().String())
	}
}

// TestSchemas holds the schemas against what encoding/json writes: of each answer with all
// its members, and with none.
func TestSchemas(t *testing.T) {
	doc, err := schematest.Read(document())
	if err != nil {
		t.Fatal(err)
	}
	replies := map[string]reflect.Type{}
	for _, r := range table() {
		replies[r.path] = reflect.TypeOf(r.reply)
	}
	for path, typ := range replies {
		for _, full := range []bool{false, true} {
			v := reflect.New(typ)
			if full {
				fill(v.Elem(), 0)
			} else if hasEnum(typ) {
				continue // an empty one is not valid, and nobody answers with it
			}
			b, err := json.Marshal(v.Interface())
			if err != nil {
				t.Fatal(err)
			}
			if err := doc.Answer(path, "200", "application/json", b); err != nil {
				t.Errorf("%s, full %v: %v", path, full, err)
			}
		}
	}
}

func hasEnum(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return enumerables[t] != nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Type != typeTime && hasEnum(f.Type) {
			return true
		}
	}
	return false
}

// TestSchemasRefuse has answers that are not as they should be.
func TestSchemasRefuse(t *testing.T) {
	doc, err := schematest.Read(document())
	if err != nil {
		t.Fatal(err)
	}
	sound := `{"events":[{"id":"a-1","time":"2026-01-01T00:00:00Z","type":"job"}],"whole":true}`
	if err := doc.Answer("/events", "200", "application/json", []byte(sound)); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{`"whole":true`, `"whole":1`},
		{`"whole":true`, `"whole":null`},
		{`,"whole":true`, ``},
		{`"whole":true`, `"whole":true,"more":1`},
		{`"type":"job"`, `"type":"weather"`},
		{`2026-01-01T00:00:00Z`, `yesterday`},
		{`"id":"a-1"`, `"id":null`},
		{`[{`, `{"a":{`},
	} {
		broken := strings.Replace(sound, c[0], c[1], 1)
		if err := doc.Answer("/events", "200", "application/json", []byte(broken)); err == nil {
			t.Errorf("%s is taken", broken)
		}
	}
	for _, c := range [][3]string{{"/nothing", "200", "application/json"}, {"/events", "418", "application/json"}, {"/events", "200", "text/plain"}} {
		if err := doc.Answer(c[0], c[1], c[2], []byte(sound)); err == nil {
			t.Errorf("%v is taken", c)
		}
	}
}

// TestTable holds what the table says of itself.
func TestTable(t *testing.T) {
	ids := map[string]bool{}
	for _, r := range table() {
		if ids[r.id] || r.about == "" || r.serve == nil || reflect.TypeOf(r.reply).Kind() != reflect.Struct {
			t.Errorf("%s: %+v", r.path, r)
		}
		ids[r.id] = true
		named := 0
		for i := range r.params {
			p := &r.params[i]
			if r.inPath(p) {
				named++
			}
			if p.about == "" || p.max == 0 && !p.list || p.list != (p.enum != nil) {
				t.Errorf("%s: %+v", r.path, p)
			}
		}
		if want := strings.Count(r.path, "{"); named != want {
			t.Errorf("%s: %d of %d parameters", r.path, named, want)
		}
	}
}
