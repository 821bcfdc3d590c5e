package manifest

import (
	"bytes"
	"errors"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// value is a value of a file, and where it stands.
type value struct {
	at   span
	what string // "a string", for people
	kind unstable.Kind
	text string // of a scalar: a string's content, else as it is written

	items  []*value // of an array
	fields []field  // of a table, in the order of the file
}

// field is a key of a table with its value.
type field struct {
	key string
	at  span // of the key
	*value
}

// Kinds of a value: those of the syntax that say what it is, whatever its form.
const (
	kindTable = unstable.InlineTable
	kindArray = unstable.Array
)

var kindWords = map[unstable.Kind]string{
	unstable.String: "a string", unstable.Bool: "a boolean", unstable.Float: "a number with a point", unstable.Integer: "a number",
	unstable.LocalDate: "a date", unstable.LocalTime: "a time", unstable.LocalDateTime: "a date", unstable.DateTime: "a date",
	kindArray: "a list", kindTable: "a table",
}

func newValue(k unstable.Kind, at span) *value {
	return &value{at: at, kind: k, what: kindWords[k]}
}

func (v *value) get(key string) *value {
	for _, f := range v.fields {
		if f.key == key {
			return f.value
		}
	}
	return nil
}

// maxKeys is the most keys in a file: go-toml compares each with all before it.
const maxKeys = 16 << 10

// parse reads the syntax of d. Its problems are in d where it returns nil.
func (d *document) parse() *value {
	if !d.wellFormed() {
		return nil
	}
	b := builder{doc: d, root: newValue(kindTable, span{})}
	b.at = b.root
	b.parser.Reset(d.text)
	for b.parser.NextExpression() {
		b.expression(b.parser.Expression())
	}
	return b.root
}

// wellFormed notes the first mistake in the syntax of d, or in how its keys go together.
func (d *document) wellFormed() bool {
	var p unstable.Parser
	p.Reset(d.text)
	keys := 0
	for p.NextExpression() {
		keys += countKeys(p.Expression())
	}
	if err := p.Error(); err != nil {
		d.syntax(err, func(h []byte) span { r := p.Range(h); return span{int(r.Offset), int(r.Offset + r.Length)} })
		return false
	}
	if keys > maxKeys {
		d.wrong(span{}, "it has %d keys, at most %d: make several manifests of it", keys, maxKeys)
		return false
	}
	var discard map[string]any
	if err := toml.Unmarshal(d.text, &discard); err != nil {
		d.syntax(err, nil)
		return false
	}
	return true
}

func countKeys(n *unstable.Node) int {
	if n == nil {
		return 0
	}
	count := 0
	if n.Kind == unstable.Key {
		count++
	}
	for it := n.Children(); it.Next(); {
		count += countKeys(it.Node())
	}
	return count
}

// syntax notes what go-toml says.
func (d *document) syntax(err error, rangeOf func([]byte) span) {
	var parse *unstable.ParserError
	var decode *toml.DecodeError
	switch {
	case errors.As(err, &parse) && rangeOf != nil:
		d.wrong(rangeOf(parse.Highlight), "%s", parse.Message)
	case errors.As(err, &decode):
		at := d.offset(decode.Position())
		d.wrong(span{at, at + len(lastOf(decode.Key()))}, "%s", bytes.TrimPrefix([]byte(decode.Error()), []byte("toml: ")))
	default:
		d.wrong(span{}, "%s", err)
	}
}

func lastOf(key toml.Key) string {
	if len(key) == 0 {
		return ""
	}
	return key[len(key)-1]
}

// builder makes values of a document whose syntax is right.
type builder struct {
	doc    *document
	parser unstable.Parser
	root   *value
	at     *value // the table that keys are in
}

func (b *builder) expression(n *unstable.Node) {
	switch n.Kind {
	case unstable.Table:
		b.at = b.enter(b.root, n.Key())
	case unstable.ArrayTable:
		list := b.enterList(n.Key())
		b.at = newValue(kindTable, list.at)
		list.items = append(list.items, b.at)
	case unstable.KeyValue:
		b.keyValue(b.at, n)
	}
}

// enter is the table that a dotted key leads to from t; what is not there is made.
func (b *builder) enter(t *value, key unstable.Iterator) *value {
	for key.Next() {
		t = b.step(t, key.Node())
	}
	return t
}

// enterList is the list of tables that a header leads to.
func (b *builder) enterList(key unstable.Iterator) *value {
	t := b.root
	for key.Next() {
		if key.IsLast() {
			list := b.child(t, key.Node(), kindArray)
			list.at = b.span(key.Node())
			return list
		}
		t = b.step(t, key.Node())
	}
	return t
}

// step is the table of t with this key; of a list of tables it is the newest.
func (b *builder) step(t *value, key *unstable.Node) *value {
	next := b.child(t, key, kindTable)
	if next.kind == kindArray && len(next.items) > 0 {
		return next.items[len(next.items)-1]
	}
	return next
}

func (b *builder) child(t *value, key *unstable.Node, kind unstable.Kind) *value {
	name := string(key.Data)
	if v := t.get(name); v != nil {
		return v
	}
	at := b.span(key)
	v := newValue(kind, at)
	t.fields = append(t.fields, field{name, at, v})
	return v
}

func (b *builder) keyValue(t *value, n *unstable.Node) {
	for key := n.Key(); key.Next(); {
		if !key.IsLast() {
			t = b.step(t, key.Node())
			continue
		}
		at := b.span(key.Node())
		t.fields = append(t.fields, field{string(key.Node().Data), at, b.value(n.Value(), at)})
	}
}

// value makes a value of n; one without a place of its own has that of its key.
func (b *builder) value(n *unstable.Node, key span) *value {
	at := key
	if n.Raw.Length > 0 {
		at = b.span(n)
	}
	v := newValue(n.Kind, at)
	v.text = string(n.Data)
	for it := n.Children(); it.Next(); {
		switch n.Kind {
		case kindArray:
			v.items = append(v.items, b.value(it.Node(), key))
		case kindTable:
			b.keyValue(v, it.Node())
		}
	}
	if v.kind == kindTable && len(v.fields) > 0 {
		v.at = v.fields[0].at
	}
	return v
}

func (b *builder) span(n *unstable.Node) span {
	return span{int(n.Raw.Offset), int(n.Raw.Offset + n.Raw.Length)}
}
