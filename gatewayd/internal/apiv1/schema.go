package apiv1

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
)

// schema is a JSON Schema, as of OpenAPI 3.1.
type schema = map[string]any

// schemas are those of types with names, as they are needed.
type schemas map[string]schema

var (
	typeTime    = reflect.TypeFor[time.Time]()
	typeRaw     = reflect.TypeFor[json.RawMessage]()
	typeText    = reflect.TypeFor[encoding.TextMarshaler]()
	typeDigest  = reflect.TypeFor[api.Digest]()
	typeJSON    = reflect.TypeFor[json.Marshaler]()
	enumerables = map[reflect.Type][]string{
		reflect.TypeFor[api.JobState]():    texts(api.JobStates()),
		reflect.TypeFor[api.JobType]():     texts(api.JobTypes()),
		reflect.TypeFor[api.RuntimeType](): texts(api.RuntimeTypes()),
		reflect.TypeFor[api.NoticeType]():  texts(api.NoticeTypes()),
	}
)

// of is the schema of what [encoding/json] makes of a value of type t.
func (s schemas) of(t reflect.Type) schema {
	switch {
	case t == typeTime:
		return schema{"type": "string", "format": "date-time"}
	case t == typeRaw:
		return schema{} // anything
	case t == typeDigest:
		return schema{"type": "string", "pattern": "^([0-9a-f]{64})?$"}
	case enumerables[t] != nil:
		return schema{"type": "string", "enum": enumerables[t]}
	case t.Implements(typeText):
		return schema{"type": "string"}
	case t.Implements(typeJSON):
		panic("no schema of " + t.String() + ", which writes itself")
	}
	switch t.Kind() {
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return schema{"type": "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return schema{"type": "integer", "minimum": 0}
	case reflect.Float32, reflect.Float64:
		return schema{"type": "number"}
	case reflect.String:
		return schema{"type": "string"}
	case reflect.Pointer:
		return schema{"anyOf": []any{s.of(t.Elem()), schema{"type": "null"}}}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return schema{"type": []string{"string", "null"}, "contentEncoding": "base64"}
		}
		return schema{"type": []string{"array", "null"}, "items": s.of(t.Elem())}
	case reflect.Map:
		return schema{"type": []string{"object", "null"}, "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		return s.named(t)
	default:
		panic("no schema of " + t.String())
	}
}

// named refers to the schema of a struct, which is made when it is first needed.
func (s schemas) named(t reflect.Type) schema {
	if _, made := s[t.Name()]; !made {
		s[t.Name()] = nil // so that one that has itself inside ends
		s[t.Name()] = s.object(t)
	}
	return schema{"$ref": "#/components/schemas/" + t.Name()}
}

func (s schemas) object(t reflect.Type) schema {
	properties, required := schema{}, []string{}
	s.fields(t, properties, &required)
	out := schema{"type": "object", "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

// fields adds the members of t: its own first, for they hide those of what it embeds.
func (s schemas) fields(t reflect.Type, properties schema, required *[]string) {
	var embedded []reflect.Type
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			embedded = append(embedded, f.Type)
			continue
		}
		if !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		if _, hidden := properties[name]; hidden {
			continue
		}
		optional := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
		properties[name] = s.member(f.Type, optional)
		if !optional {
			*required = append(*required, name)
		}
	}
	for _, e := range embedded {
		s.fields(e, properties, required)
	}
}

// member is the schema of a field. One that is left out when it is empty is never null.
func (s schemas) member(t reflect.Type, optional bool) schema {
	if optional && t.Kind() == reflect.Pointer {
		return s.of(t.Elem())
	}
	out := s.of(t)
	if types, several := out["type"].([]string); optional && several {
		out["type"] = types[0]
	}
	return out
}
