package wasi

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/engine/component/wit"
)

func httpFunctions() map[string]map[string]Function {
	types := map[string]Function{"http-error-code": plain(func(c *call) (any, error) {
		e := borrowed[*ioError](c, 0)
		if c.err != nil {
			return nil, c.err
		}
		var h *HTTPError
		if errors.As(e.err, &h) {
			return wit.Some(h.value()), nil
		}
		return wit.None(), nil
	})}
	for _, of := range []map[string]Function{
		fieldFunctions(), incomingRequestFunctions(), outgoingRequestFunctions(), optionFunctions(),
		outparamFunctions(), outgoingResponseFunctions(), incomingResponseFunctions(),
		incomingBodyFunctions(), outgoingBodyFunctions(), futureResponseFunctions(),
	} {
		maps.Copy(types, of)
	}
	return map[string]map[string]Function{
		"wasi:http/types":            types,
		"wasi:http/outgoing-handler": {"handle": plain(handleOutgoing)},
	}
}

// methods are the cases of method that have a name.
var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete,
	http.MethodConnect, http.MethodOptions, http.MethodTrace, http.MethodPatch,
}

func methodValue(name string) wit.Choice {
	if n := slices.Index(methods, name); n >= 0 {
		return wit.Choice{Case: uint32(n)}
	}
	return wit.Choice{Case: uint32(len(methods)), Value: valid(name)}
}

// methodName is the method of a value; ok: it is one.
func methodName(v wit.Choice) (name string, ok bool) {
	if int(v.Case) < len(methods) {
		return methods[v.Case], true
	}
	name, _ = v.Value.(string)
	return name, len(name) <= maxToken && token(name)
}

// maxToken is the longest method or scheme.
const maxToken = 256

var schemes = []string{"http", "https"}

func schemeValue(name string) wit.Choice {
	if n := slices.Index(schemes, name); n >= 0 {
		return wit.Choice{Case: uint32(n)}
	}
	return wit.Choice{Case: uint32(len(schemes)), Value: name}
}

// schemeName is the scheme of a value; ok: it is one.
func schemeName(v wit.Choice) (name string, ok bool) {
	if int(v.Case) < len(schemes) {
		return schemes[v.Case], true
	}
	name, _ = v.Value.(string)
	name = strings.ToLower(name)
	return name, len(name) <= maxToken && token(name) && !strings.ContainsAny(name, "!#$%&'*^_`|~")
}

// textOption is an option of a string that is there unless it is empty.
func textOption(s string) wit.Choice {
	if s == "" {
		return wit.None()
	}
	return wit.Some(valid(s))
}

// done is the result of what has gone well, or has not.
func done(ok bool) wit.Choice {
	if ok {
		return wit.Ok(nil)
	}
	return wit.Error(nil)
}
