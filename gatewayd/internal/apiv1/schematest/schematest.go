// Package schematest holds answers against an OpenAPI 3.1 document, for tests. It knows
// the part of JSON Schema that the document uses, refuses any other, and is stricter than
// that asks: members of objects that the schema does not name are refused.
package schematest

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Document is an OpenAPI document.
type Document struct {
	OpenAPI string
	Servers []struct{ URL string }
	Paths   map[string]map[string]Operation
	// Components are what references lead to.
	Components struct{ Schemas map[string]map[string]any }
}

// Operation is what a path answers to a method.
type Operation struct {
	OperationID string
	Parameters  []struct {
		Name, In string
		Required bool
		Schema   map[string]any
	}
	Responses map[string]struct {
		Content map[string]struct{ Schema map[string]any }
	}
}

// Read reads a document.
func Read(b []byte) (*Document, error) {
	d := new(Document)
	if err := json.Unmarshal(b, d); err != nil {
		return nil, fmt.Errorf("read document: %w", err)
	}
	return d, nil
}

// Answer holds the answer to GET path against its schema.
func (d *Document) Answer(path, status, contentType string, body []byte) error {
	op, ok := d.Paths[path]["get"]
	if !ok {
		return fmt.Errorf("path %s is not in the document", path)
	}
	r, ok := op.Responses[status]
	if !ok {
		return fmt.Errorf("%s: status %s is not in the document", path, status)
	}
	media, ok := r.Content[contentType]
	if !ok {
		return fmt.Errorf("%s: %s: type %q is not in the document", path, status, contentType)
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := d.hold(media.Schema, v, "$"); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// known are the words of schemas that hold understands.
var known = []string{"type", "properties", "required", "items", "additionalProperties", "$ref", "anyOf", "enum", "format", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "contentEncoding"}

func (d *Document) hold(s map[string]any, v any, at string) error {
	for word := range s {
		if !slices.Contains(known, word) {
			return fmt.Errorf("%s: the schema says %q, which is not known here", at, word)
		}
	}
	if ref, ok := s["$ref"].(string); ok {
		to, ok := d.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")]
		if !ok {
			return fmt.Errorf("%s: %s leads nowhere", at, ref)
		}
		return d.hold(to, v, at)
	}
	if all, ok := s["anyOf"].([]any); ok {
		return d.any(all, v, at)
	}
	if err := holdType(s["type"], v, at); err != nil {
		return err
	}
	switch v := v.(type) {
	case string:
		return holdText(s, v, at)
	case float64:
		if least, ok := s["minimum"].(float64); ok && v < least {
			return fmt.Errorf("%s: %v is less than %v", at, v, least)
		}
	case []any:
		items, _ := s["items"].(map[string]any)
		for i, x := range v {
			if err := d.hold(items, x, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	case map[string]any:
		return d.object(s, v, at)
	}
	return nil
}

func (d *Document) any(all []any, v any, at string) error {
	var last error
	for _, one := range all {
		s, _ := one.(map[string]any)
		if last = d.hold(s, v, at); last == nil {
			return nil
		}
	}
	return last
}

func holdType(want, v any, at string) error {
	if want == nil {
		return nil
	}
	types, several := want.([]any)
	if !several {
		types = []any{want}
	}
	is := "null"
	switch v := v.(type) {
	case bool:
		is = "boolean"
	case string:
		is = "string"
	case float64:
		if is = "number"; v == math.Trunc(v) && !slices.Contains(types, any("number")) {
			is = "integer"
		}
	case []any:
		is = "array"
	case map[string]any:
		is = "object"
	}
	if !slices.Contains(types, any(is)) {
		return fmt.Errorf("%s: it is of type %s, want %v", at, is, want)
	}
	return nil
}

func holdText(s map[string]any, v, at string) error {
	if all, ok := s["enum"].([]any); ok && !slices.Contains(all, any(v)) {
		return fmt.Errorf("%s: %q is none of %v", at, v, all)
	}
	if pattern, ok := s["pattern"].(string); ok {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		if !re.MatchString(v) {
			return fmt.Errorf("%s: %q is not like %s", at, v, pattern)
		}
	}
	if s["format"] == "date-time" {
		if _, err := time.Parse(time.RFC3339Nano, v); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
	}
	return nil
}

func (d *Document) object(s map[string]any, v map[string]any, at string) error {
	properties, _ := s["properties"].(map[string]any)
	more, open := s["additionalProperties"].(map[string]any)
	if len(s) == 0 {
		return nil // anything
	}
	required, _ := s["required"].([]any)
	for _, name := range required {
		if _, ok := v[name.(string)]; !ok { //nolint:forcetypeassert // it is a list of names
			return fmt.Errorf("%s: %v is missing", at, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		of, ok := properties[name].(map[string]any)
		if !ok {
			if of = more; !open {
				return fmt.Errorf("%s: %s is not in the schema", at, name)
			}
		}
		if err := d.hold(of, v[name], at+"."+name); err != nil {
			return err
		}
	}
	return nil
}
