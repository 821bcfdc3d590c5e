package wasi

import (
	"fmt"

	"github.com/realm-mesh/realm/engine/component/wit"
)

func fieldFunctions() map[string]Function {
	return map[string]Function{
		"[constructor]fields": plain(func(c *call) (any, error) { return c.newFields(&fieldSet{}) }),
		"[static]fields.from-list": plain(func(c *call) (any, error) {
			entries := get[[]any](c, 0)
			if c.err != nil {
				return nil, c.err
			}
			return c.fieldsFromList(entries)
		}),
		"[method]fields.get":    with1(getField),
		"[method]fields.has":    with1(func(_ *call, f *fields, name string) (any, error) { return len(f.set.get(name)) > 0, nil }),
		"[method]fields.set":    with1(setField),
		"[method]fields.append": with1(appendField),
		"[method]fields.delete": with1(deleteField),
		"[method]fields.entries": method(func(c *call, f *fields) (any, error) {
			out := make([]any, 0, len(f.set.list))
			for _, e := range f.set.list {
				out = append(out, []any{e.name, append([]byte{}, e.value...)})
			}
			return out, c.g.work(c.ctx, f.set.bytes)
		}),
		"[method]fields.clone": method(func(c *call, f *fields) (any, error) {
			if err := c.g.work(c.ctx, f.set.bytes); err != nil {
				return nil, err
			}
			return c.newFields(f.set.clone())
		}),
	}
}

// newFields returns fields that the guest may change.
func (c *call) newFields(s *fieldSet) (wit.Handle, error) {
	if err := c.countFields(s.bytes); err != nil {
		return wit.Handle{}, err
	}
	return c.g.own(&fields{set: s, counted: true}, 0)
}

// countFields has the guest hold n bytes of fields more.
func (c *call) countFields(n int) error {
	if most := c.g.env.Limits.FieldsTotal; c.g.fields+n > most {
		return trap("it holds more than %d bytes of headers: drop some", most)
	}
	c.g.fields += n
	return nil
}

// takeFields takes fields that were handed over. Whoever keeps them drops them.
func (c *call) takeFields(h wit.Handle) (*fields, error) {
	f, err := takes[*fields](c.g, h)
	if err != nil || f.counted {
		return f, err
	}
	return &fields{set: f.set, counted: true}, c.countFields(f.set.bytes)
}

// view returns headers of something of the guest's, which cannot be changed.
func (c *call) view(f *fields) (any, error) {
	return c.g.own(&fields{set: f.set, fixed: true}, c.self())
}

func (c *call) fieldsFromList(entries []any) (any, error) {
	s := &fieldSet{}
	for _, e := range entries {
		name, value, err := entryOf(e)
		if err != nil {
			return nil, err
		}
		if fault, ok := checkField(name, value); !ok {
			return fault, nil
		}
		s.add(name, value)
		if err := c.sized(s, 0); err != nil {
			return nil, err
		}
	}
	if err := c.g.work(c.ctx, s.bytes); err != nil {
		return nil, err
	}
	h, err := c.newFields(s)
	return wit.Ok(h), err
}

func entryOf(e any) (name string, value []byte, err error) {
	pair, ok := e.([]any)
	if ok && len(pair) == 2 {
		name, ok = pair[0].(string)
		value, _ = pair[1].([]byte)
	}
	if !ok {
		return "", nil, fmt.Errorf("call fields.from-list: an entry is no tuple of name and value: %T", e)
	}
	return name, value, nil
}

// sized refuses fields of too many bytes, if n are added.
func (c *call) sized(s *fieldSet, n int) error {
	if most := c.g.env.Limits.FieldsBytes; s.bytes+n > most {
		return trap("headers of more than %d bytes", most)
	}
	return nil
}

func getField(c *call, f *fields, name string) (any, error) {
	return f.set.get(name), c.g.work(c.ctx, f.set.bytes)
}

func setField(c *call, f *fields, name string) (any, error) {
	list := get[[]any](c, 2)
	if c.err != nil {
		return nil, c.err
	}
	values := make([][]byte, len(list))
	size := 0
	for n, v := range list {
		values[n], _ = v.([]byte)
		size += field{name, values[n]}.size()
	}
	return c.change(f, name, size, true, values...)
}

func appendField(c *call, f *fields, name string) (any, error) {
	value := get[[]byte](c, 2)
	if c.err != nil {
		return nil, c.err
	}
	return c.change(f, name, field{name, value}.size(), false, value)
}

func deleteField(c *call, f *fields, name string) (any, error) {
	return c.change(f, name, 0, true)
}

// change adds values to a field, after it has removed those that were there if it should.
func (c *call) change(f *fields, name string, size int, replace bool, values ...[]byte) (any, error) {
	if f.fixed {
		return immutable, nil
	}
	if fault, ok := checkField(name, values...); !ok {
		return fault, nil
	}
	if err := c.g.work(c.ctx, f.set.bytes+size); err != nil {
		return nil, err
	}
	if err := c.sized(f.set, size); err != nil {
		return nil, err
	}
	before := f.set.bytes
	if replace {
		f.set.remove(name)
	}
	for _, v := range values {
		f.set.add(name, v)
	}
	return wit.Ok(nil), c.countFields(f.set.bytes - before)
}
