package tomlfile

import (
	"bytes"
	"errors"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// Value is a value of a file, and where it stands.
type Value struct {
	At   Span
	What string // "a string", for people
	Kind unstable.Kind
	Text string // of a scalar: a string's content, else as it is written

	Items  []*Value // of an array
	Fields []Field  // of a table, in the order of the file
}

// Field is a key of a table with its value.
type Field struct {
	Key string
	At  Span // of the key
	*Value
}

// Kinds of a value: those of the syntax that say what it is, whatever its form.
const (
	KindTable = unstable.InlineTable
	KindArray = unstable.Array
)

var kindWords = map[unstable.Kind]string{
	unstable.String: "a string", unstable.Bool: "a boolean", unstable.Float: "a number with a point", unstable.Integer: "a number",
	unstable.LocalDate: "a date", unstable.LocalTime: "a time", unstable.LocalDateTime: "a date", unstable.DateTime: "a date",
	KindArray: "a list", KindTable: "a table",
}

func newValue(k unstable.Kind, at Span) *Value {
	return &Value{At: at, Kind: k, What: kindWords[k]}
}

func (v *Value) get(key string) *Value {
	for _, f := range v.Fields {
		if f.Key == key {
			return f.Value
		}
	}
	return nil
}

// MaxKeys is the most keys in a file: go-toml compares each with all before it.
const MaxKeys = 16 << 10

// parse reads the syntax of d. Its problems are in d where it returns nil.
func (d *Document) parse() *Value {
	if !d.wellFormed() {
		return nil
	}
	b := builder{doc: d, root: newValue(KindTable, Span{})}
	b.at = b.root
	b.parser.Reset(d.text)
	for b.parser.NextExpression() {
		b.expression(b.parser.Expression())
	}
	return b.root
}

// wellFormed notes the first mistake in the syntax of d, or in how its keys go together.
func (d *Document) wellFormed() bool {
	var p unstable.Parser
	p.Reset(d.text)
	keys := 0
	for p.NextExpression() {
		keys += countKeys(p.Expression())
	}
	if err := p.Error(); err != nil {
		d.syntax(err, func(h []byte) Span { r := p.Range(h); return Span{int(r.Offset), int(r.Offset + r.Length)} })
		return false
	}
	if keys > MaxKeys {
		d.Wrong(Span{}, "it has %d keys, at most %d: make several files of it", keys, MaxKeys)
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
func (d *Document) syntax(err error, rangeOf func([]byte) Span) {
	var parse *unstable.ParserError
	var decode *toml.DecodeError
	switch {
	case errors.As(err, &parse) && rangeOf != nil:
		d.Wrong(rangeOf(parse.Highlight), "%s", parse.Message)
	case errors.As(err, &decode):
		at := d.offset(decode.Position())
		d.Wrong(Span{at, at + len(lastOf(decode.Key()))}, "%s", bytes.TrimPrefix([]byte(decode.Error()), []byte("toml: ")))
	default:
		d.Wrong(Span{}, "%s", err)
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
	doc    *Document
	parser unstable.Parser
	root   *Value
	at     *Value // the table that keys are in
}

func (b *builder) expression(n *unstable.Node) {
	switch n.Kind {
	case unstable.Table:
		b.at = b.enter(b.root, n.Key())
	case unstable.ArrayTable:
		list := b.enterList(n.Key())
		b.at = newValue(KindTable, list.At)
		list.Items = append(list.Items, b.at)
	case unstable.KeyValue:
		b.keyValue(b.at, n)
	}
}

// enter is the table that a dotted key leads to from t; what is not there is made.
func (b *builder) enter(t *Value, key unstable.Iterator) *Value {
	for key.Next() {
		t = b.step(t, key.Node())
	}
	return t
}

// enterList is the list of tables that a header leads to.
func (b *builder) enterList(key unstable.Iterator) *Value {
	t := b.root
	for key.Next() {
		if key.IsLast() {
			list := b.child(t, key.Node(), KindArray)
			list.At = b.span(key.Node())
			return list
		}
		t = b.step(t, key.Node())
	}
	return t
}

// step is the table of t with this key; of a list of tables it is the newest.
func (b *builder) step(t *Value, key *unstable.Node) *Value {
	next := b.child(t, key, KindTable)
	if next.Kind == KindArray && len(next.Items) > 0 {
		return next.Items[len(next.Items)-1]
	}
	return next
}

func (b *builder) child(t *Value, key *unstable.Node, kind unstable.Kind) *Value {
	name := string(key.Data)
	if v := t.get(name); v != nil {
		return v
	}
	at := b.span(key)
	v := newValue(kind, at)
	t.Fields = append(t.Fields, Field{name, at, v})
	return v
}

func (b *builder) keyValue(t *Value, n *unstable.Node) {
	for key := n.Key(); key.Next(); {
		if !key.IsLast() {
			t = b.step(t, key.Node())
			continue
		}
		at := b.span(key.Node())
		t.Fields = append(t.Fields, Field{string(key.Node().Data), at, b.value(n.Value(), at)})
	}
}

// value makes a value of n; one without a place of its own has that of its key.
func (b *builder) value(n *unstable.Node, key Span) *Value {
	at := key
	if n.Raw.Length > 0 {
		at = b.span(n)
	}
	v := newValue(n.Kind, at)
	v.Text = string(n.Data)
	for it := n.Children(); it.Next(); {
		switch n.Kind {
		case KindArray:
			v.Items = append(v.Items, b.value(it.Node(), key))
		case KindTable:
			b.keyValue(v, it.Node())
		}
	}
	if v.Kind == KindTable && len(v.Fields) > 0 {
		v.At = v.Fields[0].At
	}
	return v
}

func (b *builder) span(n *unstable.Node) Span {
	return Span{int(n.Raw.Offset), int(n.Raw.Offset + n.Raw.Length)}
}
