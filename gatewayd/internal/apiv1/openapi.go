package apiv1

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/buildinfo"
)

const pathDocument = "/openapi.json"

// document describes the table.
func document() []byte {
	all := schemas{}
	paths := schema{}
	for _, r := range table() {
		paths[r.path] = schema{"get": r.operation(all)}
	}
	paths[pathDocument] = schema{"get": schema{
		"operationId": "getDocument", "summary": "This document.",
		"responses": schema{"200": schema{"description": "OK", "content": schema{"application/json": schema{"schema": schema{"type": "object"}}}}},
	}}
	text, err := json.MarshalIndent(schema{
		"openapi": "3.1.0",
		"info": schema{"title": "Realm node", "version": buildinfo.Version,
			"description": "What a node knows, to be read by programs on its machine. Members of objects may be added; leave out what you do not know."},
		"servers":    []any{schema{"url": api.PathAPI}},
		"paths":      paths,
		"components": schema{"schemas": all},
	}, "", " ")
	if err != nil {
		panic(err) // of strings and numbers: there is nothing that could fail
	}
	return text
}

func (r *endpoint) operation(all schemas) schema {
	params := []any{}
	for i := range r.params {
		params = append(params, r.describe(&r.params[i]))
	}
	responses := schema{"200": schema{"description": "OK", "content": schema{"application/json": schema{"schema": all.of(reflect.TypeOf(r.reply))}}}}
	problem := all.of(reflect.TypeFor[api.Problem]())
	refusals := []int{http.StatusBadRequest, http.StatusBadGateway, http.StatusServiceUnavailable}
	if r.missing {
		refusals = append(refusals, http.StatusNotFound)
	}
	for _, status := range refusals {
		responses[strconv.Itoa(status)] = schema{"description": http.StatusText(status), "content": schema{problemType: schema{"schema": problem}}}
	}
	return schema{"operationId": r.id, "summary": r.about, "parameters": params, "responses": responses}
}

func (r *endpoint) describe(p *param) schema {
	out := schema{"name": p.name, "in": "query", "description": p.about}
	if r.inPath(p) {
		out["in"], out["required"] = "path", true
	}
	switch {
	case p.integer:
		out["schema"] = schema{"type": "integer", "minimum": p.min, "maximum": p.max}
	case p.list:
		out["schema"] = schema{"type": "array", "minItems": 1, "items": schema{"type": "string", "enum": p.enum}}
		out["style"], out["explode"] = "form", false
	default:
		out["schema"] = schema{"type": "string", "minLength": 1, "maxLength": p.max}
	}
	return out
}
