package valid

// freely collects the resources that types refer to.
type freely struct {
	k    *checker
	seen map[typ]bool
	into map[*resource]bool
}

// free returns the resources that items refer to.
func (k *checker) free(i *items) map[*resource]bool {
	f := freely{k: k, seen: map[typ]bool{}, into: map[*resource]bool{}}
	f.items(i)
	return f.into
}

// closed reports whether t refers to no resource but those that it binds.
func (k *checker) closed(t typ) bool {
	f := freely{k: k, seen: map[typ]bool{}, into: map[*resource]bool{}}
	f.typ(t)
	return len(f.into) == 0
}

func (f *freely) items(i *items) {
	for _, x := range i.list {
		f.typ(x.t)
	}
}

func (f *freely) typ(t typ) {
	f.k.step(1)
	if !t.known().resources || f.seen[t] {
		return
	}
	f.seen[t] = true
	switch t := t.(type) {
	case *resType:
		f.into[t.id] = true
	case *valType:
		t.parts(func(p *valType) { f.typ(p) })
		if t.res != nil {
			f.into[t.res.id] = true
		}
	case *funcType:
		t.parts(func(p *valType) { f.typ(p) })
	case *instType:
		f.items(t.exports)
		f.unbind(t.bound)
	case *compType:
		f.items(t.imports)
		f.items(t.exports)
		f.unbind(t.imported)
		f.unbind(t.defined)
	}
}

// unbind leaves out what a type binds: nothing outside of it can refer to that.
func (f *freely) unbind(bound []*resource) {
	for _, r := range bound {
		delete(f.into, r)
	}
}
