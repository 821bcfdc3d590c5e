package valid

import (
	"github.com/realm-mesh/realm/engine/component/internal/binary"
	"github.com/realm-mesh/realm/engine/internal/wasm"
)

// moduleOf returns the type of a core module.
func (k *checker) moduleOf(m *wasm.Module) *modType {
	t := &modType{exports: map[string]extern{}}
	for i := range m.Imports {
		t.imports = append(t.imports, k.coreImport(m, &m.Imports[i]))
	}
	for _, e := range m.Exports {
		x := extern{kind: e.Kind}
		switch e.Kind {
		case wasm.ExternFunc:
			f := m.FuncType(e.Index)
			x.fn = &f
		case wasm.ExternTable:
			x.table = m.Tables[e.Index]
		case wasm.ExternMemory:
			x.memory = m.Memories[e.Index]
		case wasm.ExternGlobal:
			x.global = m.Globals[e.Index]
		}
		t.exports[e.Name] = x
	}
	k.closeModule(t)
	return t
}

func (k *checker) coreImport(m *wasm.Module, i *wasm.Import) coreImport {
	x := extern{kind: i.Kind, table: i.Table, memory: i.Memory, global: i.Global}
	if i.Kind == wasm.ExternFunc {
		x.fn = &m.Types[i.Func]
	}
	return coreImport{i.Module, i.Name, x}
}

// closeModule checks that no two imports of a module have the same names, and sums it up.
func (k *checker) closeModule(t *modType) {
	seen := map[[2]string]bool{}
	for _, i := range t.imports {
		if seen[[2]string{i.module, i.name}] {
			k.fail("a core module has two imports %.100q %.100q", i.module, i.name)
		}
		seen[[2]string{i.module, i.name}] = true
	}
	sum := k.sum()
	sum.parts(len(t.imports) + len(t.exports))
	k.step(len(t.imports) + len(t.exports))
	t.facts = sum.facts
}

// moduleType makes the type of a core module that is declared. It has an index space of
// types of its own.
func (k *checker) moduleType(s *scope, d *binary.ModuleType) *modType {
	t := &modType{exports: map[string]extern{}}
	var types []*wasm.FuncType
	for _, m := range d.Decls {
		k.at = m.Offset
		k.step(1)
		switch {
		case m.Type != nil:
			types = append(types, &m.Type.FuncType)
		case m.Outer != nil:
			types = append(types, k.outerFuncType(s, types, m.Outer))
		case m.Import != nil:
			t.imports = append(t.imports, coreImport{m.Import.Module, m.Import.Name, k.declared(types, m.Import)})
		case m.Export != nil:
			if _, ok := t.exports[m.Export.Name]; ok {
				k.fail("a core module has two exports %.100q", m.Export.Name)
			}
			t.exports[m.Export.Name] = k.declared(types, &m.Export.Type)
		}
	}
	k.closeModule(t)
	return t
}

func (k *checker) outerFuncType(s *scope, types []*wasm.FuncType, a *binary.Alias) *wasm.FuncType {
	if a.Count == 0 {
		return at(&scope{k: k}, binary.CoreType, types, a.Index)
	}
	f := s.out(a.Count - 1).coreType(a.Index).fn
	if f == nil {
		k.fail("core type %d is not of a function: a module type cannot have others", a.Index)
	}
	return f
}

// maxPages is the most pages of a memory.
const maxPages = 1 << 16

// declared makes the type of an import or export that is declared.
func (k *checker) declared(types []*wasm.FuncType, i *wasm.Import) extern {
	x := extern{kind: i.Kind, table: i.Table, memory: i.Memory, global: i.Global}
	limits := x.table.Limits
	switch i.Kind {
	case wasm.ExternFunc:
		x.fn = at(&scope{k: k}, binary.CoreType, types, i.Func)
	case wasm.ExternMemory:
		if limits = x.memory; limits.Min > maxPages || limits.Max > maxPages {
			k.fail("a memory of more than %d pages", maxPages)
		}
	}
	if limits.HasMax && limits.Max < limits.Min {
		k.fail("a limit of at least %d and at most %d", limits.Min, limits.Max)
	}
	return x
}

// coreInst adds a core instance.
func (k *checker) coreInst(s *scope, d *binary.CoreInst) {
	if d.Inline {
		add(s, &s.coreInsts, k.coreBundle(s, d.Exports))
		return
	}
	m := s.module(d.Module)
	args := map[string]coreInstance{}
	for _, a := range d.Args {
		if _, ok := args[a.Name]; ok {
			k.fail("two arguments are for the imports from %.100q", a.Name)
		}
		args[a.Name] = s.coreInst(a.Instance)
	}
	for _, want := range m.imports {
		k.step(1)
		from, ok := args[want.module]
		if !ok {
			k.fail("no argument is for the imports from %.100q", want.module)
		}
		got, ok := from[want.name]
		if !ok {
			k.fail("the argument for the imports from %.100q has no %.100q", want.module, want.name)
		}
		k.in("the import %.100q", want.module+"."+want.name, func() { k.compareExtern(got, want.extern) })
	}
	add(s, &s.coreInsts, m.exports)
}

func (k *checker) coreBundle(s *scope, exports []binary.CoreExport) coreInstance {
	b := coreInstance{}
	for _, e := range exports {
		k.step(1)
		if _, ok := b[e.Name]; ok {
			k.fail("two exports have the name %.100q", e.Name)
		}
		b[e.Name] = s.coreEntity(e.Ref)
	}
	return b
}

func (s *scope) coreEntity(r binary.Ref) extern {
	switch r.Sort {
	case binary.CoreFunc:
		return extern{kind: wasm.ExternFunc, fn: s.coreFunc(r.Index)}
	case binary.CoreTable:
		return extern{kind: wasm.ExternTable, table: at(s, r.Sort, s.coreTables, r.Index)}
	case binary.CoreMemory:
		return extern{kind: wasm.ExternMemory, memory: at(s, r.Sort, s.coreMemories, r.Index)}
	case binary.CoreGlobal:
		return extern{kind: wasm.ExternGlobal, global: at(s, r.Sort, s.coreGlobals, r.Index)}
	}
	s.k.fail("%s is nothing that core modules import or export", article(r.Sort))
	return extern{}
}

// compareExtern checks that got can be used where want is needed.
func (k *checker) compareExtern(got, want extern) {
	if got.kind != want.kind {
		k.fail("it is %s, where %s is needed", article(got.kind), article(want.kind))
	}
	switch want.kind {
	case wasm.ExternFunc:
		k.step(len(want.fn.Params) + len(want.fn.Results))
		if !got.fn.Equal(*want.fn) {
			k.fail("it is a function %v, where %v is needed", signature{got.fn}, signature{want.fn})
		}
	case wasm.ExternTable:
		if got.table.Elem != want.table.Elem {
			k.fail("it is a table of %s, where %s is needed", got.table.Elem, want.table.Elem)
		}
		k.compareLimits(got.table.Limits, want.table.Limits)
	case wasm.ExternMemory:
		k.compareLimits(got.memory, want.memory)
	case wasm.ExternGlobal:
		if got.global != want.global {
			k.fail("it is a global of another type, or of other mutability")
		}
	}
}

func (k *checker) compareLimits(got, want wasm.Limits) {
	if got.Min < want.Min || want.HasMax && (!got.HasMax || got.Max > want.Max) {
		k.fail("its limits are wider than those that are needed")
	}
}
