package wasm

import "fmt"

const header = "\x00asm\x01\x00\x00\x00"

// Sections by their encoding (§5.5.2).
const (
	secCustom = iota
	secType
	secImport
	secFunction
	secTable
	secMemory
	secGlobal
	secExport
	secStart
	secElement
	secCode
	secData
	secDataCount
	sections
)

// Decode returns the module that b is, or an [*Error]. The module refers to b, which is
// not to be changed.
func Decode(b []byte, f Features, caps Caps) (*Module, error) {
	d := decoder{reader: reader{b: b, fn: -1}, m: new(Module), f: f, caps: caps}
	d.run()
	if d.err != nil {
		return nil, d.err
	}
	return d.m, nil
}

// decoder goes through a module once, from its first byte to its last. The sections come
// in an order in which each refers to earlier ones only, but for exported functions and
// elements that code may refer to: those come before it, too.
type decoder struct {
	reader
	m    *Module
	f    Features
	caps Caps

	defined  int             // functions that the function section announces
	elements int             // of all tables and segments, so far
	data     uint32          // segments, as announced before the code
	declared map[uint32]bool // functions that code may refer to
	exported map[string]bool
}

func (d *decoder) run() {
	switch {
	case len(d.b) > d.caps.Module:
		d.fail("the module has %d bytes, at most %d", len(d.b), d.caps.Module)
	case len(d.b) < len(header) || string(d.b[:4]) != header[:4]:
		d.fail("it is no WebAssembly: the first four bytes are not those of a module")
		d.err.Cause = ErrNotWasm
	case string(d.b[:len(header)]) != header:
		d.failAt(4, "it is no core module of version 1: %s", kindOf(d.b[4:]))
		if isComponent(d.b[4:]) {
			d.err.Cause = ErrComponent
		}
	}
	d.pos = len(header)
	d.declared, d.exported = map[uint32]bool{}, map[string]bool{}
	last := 0
	for d.more() {
		at := d.pos
		id := int(d.byte())
		body := d.sub(d.u32(), -1)
		switch {
		case d.err != nil:
			return
		case id >= sections:
			d.failAt(at, "section %d is not known", id)
			return
		case id != secCustom && rank(id) <= last:
			d.failAt(at, "the %s section is twice there, or out of order", sectionNames[id])
			return
		}
		if id != secCustom {
			last = rank(id)
		}
		d.section(id, body)
	}
	d.finish()
}

// kindOf tells people what the four bytes after the magic number stand for.
func kindOf(version []byte) string {
	if isComponent(version) {
		return "it is a component"
	}
	return fmt.Sprintf("its version is %x", version[:min(4, len(version))])
}

func isComponent(version []byte) bool { return len(version) >= 4 && version[2] == 1 }

var sectionNames = [sections]string{"custom", "type", "import", "function", "table", "memory", "global", "export",
	"start", "element", "code", "data", "data count"}

// rank orders the sections: the data count comes before the code.
func rank(id int) int {
	switch id {
	case secDataCount:
		return secCode*2 - 1
	default:
		return id * 2
	}
}

// section reads one section with r, and all of it.
func (d *decoder) section(id int, r reader) {
	outer := d.reader
	d.reader = r
	[sections]func(){d.custom, d.types, d.imports, d.functions, d.tables, d.memories, d.globals, d.exports,
		d.start, d.elems, d.code, d.segments, d.dataCount}[id]()
	if d.more() {
		d.fail("the %s section goes on after its end, by %d bytes", sectionNames[id], d.left())
	}
	outer.err = d.err
	d.reader = outer
}

// finish looks for what was announced and never came.
func (d *decoder) finish() {
	switch {
	case d.err != nil:
	case len(d.m.Bodies) != d.defined:
		d.fail("%d functions are announced, %d have code", d.defined, len(d.m.Bodies))
	case d.m.HasDataCount && len(d.m.Data) != int(d.data):
		d.fail("%d data segments are announced, %d are there", d.data, len(d.m.Data))
	}
}

func (d *decoder) custom() {
	name := d.name(d.caps.Name)
	d.m.Custom = append(d.m.Custom, Custom{Name: name, Data: d.take(uint32(d.left()))})
}

func (d *decoder) imports() {
	n := d.count("imports", d.caps.Imports, 4)
	d.m.Imports = make([]Import, 0, n)
	for range n {
		i := Import{Module: d.name(d.caps.Name), Name: d.name(d.caps.Name)}
		at := d.pos
		kind := d.byte()
		i.Kind = ExternKind(kind)
		switch {
		case d.err != nil:
		case i.Kind == ExternFunc:
			i.Func = d.typeIndex()
			d.addFunc(i.Func)
		case i.Kind == ExternTable:
			i.Table = d.tableType()
			d.addTable(i.Table)
		case i.Kind == ExternMemory:
			i.Memory = d.memoryType()
			d.addMemory(i.Memory)
		case i.Kind == ExternGlobal:
			i.Global = d.globalType()
			d.addGlobal(i.Global)
		default:
			d.failAt(at, "imports of kind %#x are not known", kind)
		}
		if d.err != nil {
			return
		}
		d.m.Imported[i.Kind]++
		d.m.Imports = append(d.m.Imports, i)
	}
}

func (d *decoder) addFunc(t uint32) {
	if len(d.m.Funcs) >= d.caps.Funcs {
		d.fail("more than %d functions", d.caps.Funcs)
		return
	}
	d.m.Funcs = append(d.m.Funcs, t)
}

func (d *decoder) addTable(t TableType) {
	if len(d.m.Tables) >= d.caps.Tables {
		d.fail("more than %d tables", d.caps.Tables)
		return
	}
	d.addElements(int64(t.Min))
	d.m.Tables = append(d.m.Tables, t)
}

func (d *decoder) addElements(n int64) {
	if n > int64(d.caps.Elements-d.elements) {
		d.fail("more than %d elements in tables and segments", d.caps.Elements)
		return
	}
	d.elements += int(n)
}

func (d *decoder) addMemory(l Limits) {
	if len(d.m.Memories) > 0 {
		d.fail("a second memory: there can be one")
		return
	}
	d.m.Memories = append(d.m.Memories, l)
}

func (d *decoder) addGlobal(t GlobalType) {
	if len(d.m.Globals) >= d.caps.Globals {
		d.fail("more than %d globals", d.caps.Globals)
		return
	}
	d.m.Globals = append(d.m.Globals, t)
}

func (d *decoder) functions() {
	d.defined = d.count("functions", d.caps.Funcs, 1)
	for range d.defined {
		d.addFunc(d.typeIndex())
		if d.err != nil {
			return
		}
	}
}

func (d *decoder) tables() {
	for range d.count("tables", d.caps.Tables, 3) {
		d.addTable(d.tableType())
		if d.err != nil {
			return
		}
	}
}

func (d *decoder) memories() {
	for range d.count("memories", 1, 2) {
		d.addMemory(d.memoryType())
	}
}

func (d *decoder) globals() {
	n := d.count("globals", d.caps.Globals, 4)
	d.m.Inits = make([]Expr, 0, n)
	for range n {
		t := d.globalType()
		init := d.constExpr(t.Type)
		d.addGlobal(t)
		if d.err != nil {
			return
		}
		d.m.Inits = append(d.m.Inits, init)
	}
}

func (d *decoder) exports() {
	n := d.count("exports", d.caps.Exports, 3)
	d.m.Exports = make([]Export, 0, n)
	for range n {
		at := d.pos
		e := Export{Name: d.name(d.caps.Name)}
		kind := d.byte()
		if d.err == nil && kind > byte(ExternGlobal) {
			d.fail("exports of kind %#x are not known", kind)
		}
		if d.err != nil {
			return
		}
		e.Kind = ExternKind(kind)
		e.Index = d.index(e.Kind)
		if d.exported[e.Name] {
			d.failAt(at, "two exports have the name %.100q", e.Name)
		}
		if d.err != nil {
			return
		}
		d.exported[e.Name] = true
		if e.Kind == ExternFunc {
			d.declared[e.Index] = true
		}
		d.m.Exports = append(d.m.Exports, e)
	}
}

// index reads the index of something that is there.
func (d *decoder) index(kind ExternKind) uint32 {
	have := [...]int{len(d.m.Funcs), len(d.m.Tables), len(d.m.Memories), len(d.m.Globals)}[kind]
	at := d.pos
	i := d.u32()
	if d.err == nil && int64(i) >= int64(have) {
		d.failAt(at, "%s %d is not there: there are %d", kind, i, have)
		return 0
	}
	return i
}

func (d *decoder) start() {
	at := d.pos
	f := d.index(ExternFunc)
	if d.err != nil {
		return
	}
	if t := d.m.FuncType(f); len(t.Params) > 0 || len(t.Results) > 0 {
		d.failAt(at, "the start function has parameters or results")
		return
	}
	d.m.Start = Start{Is: true, Func: f}
}

func (d *decoder) dataCount() {
	d.data = uint32(d.count("data segments", d.caps.Segments, 0))
	d.m.HasDataCount = true
}

func (d *decoder) code() {
	at := d.pos
	n := d.count("function bodies", d.caps.Funcs, 2)
	if d.err == nil && n != d.defined {
		d.failAt(at, "%d functions are announced, %d have code", d.defined, n)
		return
	}
	d.m.Bodies = make([]Body, 0, n)
	v := newValidator(d)
	first := len(d.m.Funcs) - d.defined
	for i := range n {
		size := d.count("bytes of a body", d.caps.Body, 1)
		r := d.sub(uint32(size), first+i)
		if d.err != nil {
			return
		}
		b := v.body(r, d.m.Funcs[first+i])
		if d.err = v.r.err; d.err != nil {
			return
		}
		d.m.Bodies = append(d.m.Bodies, b)
	}
}

func (d *decoder) segments() {
	n := d.count("data segments", d.caps.Segments, 2)
	d.m.Data = make([]Data, 0, n)
	for range n {
		at := d.pos
		flag := d.u32()
		var s Data
		switch flag {
		case 2:
			if i := d.u32(); i != 0 {
				d.failAt(at, "a data segment for memory %d: there can be one memory", i)
			}
			fallthrough
		case 0:
			if d.err == nil && len(d.m.Memories) == 0 {
				d.failAt(at, "a data segment, and no memory")
			}
			s.At = d.constExpr(I32)
		case 1:
			s.Mode = Passive
		default:
			d.failAt(at, "data segments of kind %d are not known", flag)
		}
		s.Init = d.take(d.u32())
		if d.err != nil {
			return
		}
		d.m.Data = append(d.m.Data, s)
	}
}
