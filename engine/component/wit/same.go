package wit

// Same reports whether a and b are the same type; nil is one, too. It takes time in
// proportion to both as they are written out.
func Same(a, b *Type) bool {
	if a == b {
		return true
	}
	if a == nil || b == nil || a.Kind != b.Kind || a.Resource != b.Resource ||
		len(a.Fields) != len(b.Fields) || len(a.Cases) != len(b.Cases) || len(a.Names) != len(b.Names) {
		return false
	}
	for i := range a.Fields {
		if a.Fields[i].Name != b.Fields[i].Name || !Same(a.Fields[i].Type, b.Fields[i].Type) {
			return false
		}
	}
	for i := range a.Cases {
		if a.Cases[i].Name != b.Cases[i].Name || !Same(a.Cases[i].Type, b.Cases[i].Type) {
			return false
		}
	}
	for i := range a.Names {
		if a.Names[i] != b.Names[i] {
			return false
		}
	}
	return Same(a.Elem, b.Elem) && Same(a.OK, b.OK) && Same(a.Err, b.Err)
}

// SameFunc reports whether a and b are the same type of functions.
func SameFunc(a, b *Func) bool {
	if len(a.Params) != len(b.Params) || !Same(a.Result, b.Result) {
		return false
	}
	for i := range a.Params {
		if a.Params[i].Name != b.Params[i].Name || !Same(a.Params[i].Type, b.Params[i].Type) {
			return false
		}
	}
	return true
}
