package binary

// canon reads a canonical definition.
func (d *decoder) canon() *Canon {
	c := &Canon{}
	switch op := d.byte(); op {
	case 0x00:
		d.sortFunc()
		c.Op, c.Func = Lift, d.u32()
		d.options(&c.Options)
		c.Type = d.u32()
	case 0x01:
		d.sortFunc()
		c.Op, c.Func = Lower, d.u32()
		d.options(&c.Options)
	case 0x02:
		c.Op, c.Type = ResourceNew, d.u32()
	case 0x03:
		c.Op, c.Type = ResourceDrop, d.u32()
	case 0x04:
		c.Op, c.Type = ResourceRep, d.u32()
	default:
		d.laterCanon(op)
	}
	return c
}

// sortFunc reads that a function is lifted or lowered: nothing else can be.
func (d *decoder) sortFunc() {
	if c := d.byte(); c != 0 {
		d.unknown("sort of what is lifted or lowered", c)
	}
}

// options reads the options of a canonical definition.
func (d *decoder) options(o *Options) {
	seen := map[byte]bool{}
	for range d.count("options", 10) {
		at := d.pos
		c := d.byte()
		group := max(c, 2) // the first three are encodings of strings
		if seen[group] {
			d.failAt(at, "option %#x is there twice, or is at odds with another", c)
		}
		seen[group] = true
		d.option(o, c)
		if d.err != nil {
			return
		}
	}
}

func (d *decoder) option(o *Options, c byte) {
	index := func() *uint32 {
		i := d.u32()
		return &i
	}
	switch c {
	case 0x00, 0x01, 0x02:
		o.Encoding = Encoding(c)
	case 0x03:
		o.Memory = index()
	case 0x04:
		o.Realloc = index()
	case 0x05:
		o.PostReturn = index()
	case 0x06:
		d.need(async)
	case 0x07:
		d.need(async)
		d.u32()
	case 0x08:
		d.need(gc)
		d.u32()
	case 0x09:
		d.need(gc)
	default:
		d.unknown("option", c)
	}
}

// laterCanon reads the definitions that came after WASI 0.2: which feature they are of, and
// their operands. Those are i: an index or number, b: a byte, o: options, r: a
// result, t: a core type of values.
func (d *decoder) laterCanon(op byte) {
	l, ok := laterCanons[op]
	if !ok {
		d.unknown("canonical definition", op)
		return
	}
	d.need(l.feature)
	for _, operand := range l.operands {
		switch operand {
		case 'i':
			d.u32()
		case 'b':
			d.flag("operand of a canonical definition")
		case 'o':
			d.options(&Options{})
		case 'r':
			d.funcResult()
		case 't':
			d.coreValueType()
		}
	}
}

var laterCanons = map[byte]struct{ feature, operands string }{
	0x05: {async, ""}, 0x06: {async, "b"}, 0x08: {async, "b"}, 0x09: {async, "ro"}, 0x0a: {async, "ti"}, 0x0b: {async, "ti"},
	0x0c: {async, "b"}, 0x0d: {async, ""}, 0x1f: {async, ""}, 0x20: {async, "bi"}, 0x21: {async, "bi"}, 0x22: {async, ""},
	0x23: {async, ""}, 0x24: {async, ""}, 0x25: {async, ""},
	0x0e: {streams, "i"}, 0x0f: {streams, "io"}, 0x10: {streams, "io"}, 0x11: {streams, "ib"}, 0x12: {streams, "ib"},
	0x13: {streams, "i"}, 0x14: {streams, "i"},
	0x15: {futures, "i"}, 0x16: {futures, "io"}, 0x17: {futures, "io"}, 0x18: {futures, "ib"}, 0x19: {futures, "ib"},
	0x1a: {futures, "i"}, 0x1b: {futures, "i"},
	0x1c: {errorContext, "o"}, 0x1d: {errorContext, "o"}, 0x1e: {errorContext, ""},
	0x26: {threads, ""}, 0x27: {threads, "ii"}, 0x28: {threads, ""}, 0x29: {threads, "b"}, 0x2a: {threads, "b"},
	0x2b: {threads, "b"}, 0x2c: {threads, "b"}, 0x2d: {threads, "b"}, 0x40: {threads, "bi"}, 0x41: {threads, "bii"},
	0x42: {threads, "b"},
}
