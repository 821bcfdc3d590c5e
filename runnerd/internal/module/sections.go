package module

import (
	"errors"
	"fmt"
)

// Ids of sections.
const (
	sectionCustom = iota
	sectionType
	sectionImport
	sectionFunction
	sectionTable
	sectionMemory
	sectionGlobal
	sectionExport
	sectionStart
	sectionElement
	sectionCode
	sectionData
	sectionDataCount
)

var sectionNames = [...]string{"custom", "type", "import", "function", "table", "memory", "global",
	"export", "start", "element", "code", "data", "data count"}

func sectionName(id byte) string { return sectionNames[id] }

// order is the place of a section among the others, from 1; 0 is none.
func order(id byte) int {
	switch {
	case id == sectionDataCount: // younger than its neighbours, hence its number
		return 2*sectionCode - 1
	case id >= sectionType && id <= sectionData:
		return 2 * int(id)
	}
	return 0
}

func (m *Module) section(id byte, body []byte) error {
	r := &reader{b: body}
	switch id {
	case sectionType:
		m.readTypes(r)
	case sectionImport:
		m.readImports(r)
	case sectionFunction:
		m.readFunctions(r)
	case sectionTable:
		for range r.count("tables", maxTables, 3) {
			m.readTable(r)
		}
	case sectionMemory:
		for range r.count("memories", 1, 2) {
			m.readMemory(r)
		}
	case sectionGlobal:
		for range r.count("globals", maxGlobals, 4) {
			m.readGlobalType(r)
			m.readConst(r)
		}
	case sectionExport:
		m.readExports(r)
	case sectionStart:
		if f := r.u32(); int(f) >= len(m.funcs) {
			r.failf("function %d does not exist", f)
		}
	case sectionElement:
		for range r.count("elements", maxElements, 2) {
			m.readElement(r)
		}
	case sectionCode:
		m.readCode(r)
	case sectionData:
		_, _ = m.readData(r)
	case sectionDataCount:
		r.u32()
	}
	if r.err == nil && r.left() > 0 {
		r.failf("%d bytes too many", r.left())
	}
	return r.err
}

func (m *Module) readTypes(r *reader) {
	for range r.count("types", maxTypes, 3) {
		if form := r.byte(); r.err == nil && form != 0x60 {
			r.failf("a type of form %#x (a newer extension of WebAssembly) is not known here", form)
			return
		}
		s := Signature{Params: readValueTypes(r), Results: readValueTypes(r)}
		m.types = append(m.types, s)
	}
}

func readValueTypes(r *reader) []ValueType {
	b := r.bytes(uint32(r.count("parameters", maxParams, 1)))
	ts := make([]ValueType, len(b))
	for i, c := range b {
		ts[i] = checkValueType(r, c)
	}
	return ts
}

func checkValueType(r *reader, c byte) ValueType {
	switch t := ValueType(c); t {
	case I32, I64, F32, F64, V128, FuncRef, ExternRef:
		return t
	}
	r.failf("a value of type %#x (a newer extension of WebAssembly) is not known here", c)
	return 0
}

func (m *Module) readImports(r *reader) {
	for range r.count("imports", maxImports, 4) {
		i := Import{Module: r.name(), Name: r.name(), Kind: Kind(r.byte())}
		switch i.Kind {
		case KindFunction:
			m.addFunction(r, r.u32())
			m.imported++
		case KindTable:
			m.readTable(r)
		case KindMemory:
			m.readMemory(r)
		case KindGlobal:
			m.readGlobalType(r)
		default:
			r.failf("an import of kind %d is not known here", i.Kind)
		}
		if r.err != nil {
			return
		}
		m.Imports = append(m.Imports, i)
	}
}

func (m *Module) addFunction(r *reader, typ uint32) {
	if r.err == nil && int64(typ) >= int64(len(m.types)) {
		r.failf("type %d does not exist", typ)
		return
	}
	m.funcs = append(m.funcs, typ)
}

func (m *Module) readFunctions(r *reader) {
	for range r.count("functions", maxFunctions, 1) {
		m.addFunction(r, r.u32())
	}
}

func (m *Module) readTable(r *reader) {
	if t := checkValueType(r, r.byte()); t != FuncRef && t != ExternRef {
		r.fail(errors.New("a table holds what is no reference"))
	}
	if low, _ := r.limits(); low > maxTableSize {
		r.failf("a table of %d entries: at most %d are taken", low, maxTableSize)
	}
	m.tables++
}

func (m *Module) readMemory(r *reader) {
	low, high := r.limits()
	switch {
	case low > maxPages, high != nil && (*high > maxPages || *high < low):
		r.fail(errors.New("the bounds of its memory make no sense"))
	case m.Memory:
		r.fail(errors.New("it has several memories"))
	}
	m.Memory, m.MinPages = true, low
}

func (m *Module) readGlobalType(r *reader) {
	checkValueType(r, r.byte())
	if r.byte() > 1 {
		r.fail(errors.New("a global is neither constant nor variable"))
	}
	m.globals++
}

func (m *Module) readExports(r *reader) {
	seen := map[string]bool{}
	for range r.count("exports", maxExports, 3) {
		name, kind, index := r.name(), Kind(r.byte()), r.u32()
		if r.err != nil {
			return
		}
		if seen[name] {
			r.failf("%.80q is exported twice", name)
			return
		}
		seen[name] = true
		have := map[Kind]int{KindFunction: len(m.funcs), KindTable: m.tables, KindGlobal: m.globals}[kind]
		if kind == KindMemory && m.Memory {
			have = 1
		}
		if int64(index) >= int64(have) {
			r.failf("export %.80q is of something that does not exist", name)
			return
		}
		if kind == KindFunction {
			m.Functions[name] = m.types[m.funcs[index]]
			m.Names = append(m.Names, name)
		}
	}
}

func (m *Module) readCode(r *reader) {
	n := r.count("function bodies", maxFunctions, 2)
	if want := len(m.funcs) - m.imported; r.err == nil && n != want {
		r.failf("it declares %d functions and holds %d", want, n)
	}
	for range n {
		size := r.u32()
		if size > maxBody {
			r.failf("a function of %d bytes: at most %d are taken", size, maxBody)
		}
		if err := m.readLocals(&reader{b: r.bytes(size)}); err != nil {
			r.fail(err)
		}
	}
}

// readLocals reads the head of a function body.
func (m *Module) readLocals(r *reader) error {
	var sum uint64
	for range r.count("groups of locals", maxLocals, 2) {
		sum += uint64(r.u32())
		checkValueType(r, r.byte())
	}
	if r.err != nil {
		return r.err
	}
	if sum > maxLocals || m.locals+int(sum) > maxAllLocals {
		return fmt.Errorf("%d local variables in one function: at most %d are taken, and %d in all", sum, maxLocals, maxAllLocals)
	}
	m.locals += int(sum)
	return nil
}
