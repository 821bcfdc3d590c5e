package wasi_test

import (
	"testing"

	"github.com/realm-mesh/realm/engine/component/wit"
	"github.com/realm-mesh/realm/engine/wasi"
)

const fieldsOf = "http/types [method]fields."

func TestFields(t *testing.T) {
	g := newGuest(t, wasi.Env{})
	f := g.headers("a", "1", "B", "2", "A", "3")
	if v := as[[]any](g.call(fieldsOf+"get", f, "A")); len(v) != 2 || string(as[[]byte](v[1])) != "3" {
		t.Errorf("get: %q", v)
	}
	c := g.handle(fieldsOf+"clone", f)
	g.ok(fieldsOf+"set", f, "a", []any{[]byte("4")})
	g.ok(fieldsOf+"delete", f, "b")
	g.ok(fieldsOf+"append", f, "C", []byte("5"))
	if e := as[[]any](g.call(fieldsOf+"entries", f)); len(e) != 2 || as[[]any](e[1])[0] != "C" {
		t.Errorf("entries: %q", e)
	}
	if e := as[[]any](g.call(fieldsOf+"entries", c)); len(e) != 3 || as[[]any](e[1])[0] != "B" {
		t.Errorf("entries of the clone: %q", e)
	}
	if as[bool](g.call(fieldsOf+"has", f, "b")) || !as[bool](g.call(fieldsOf+"has", f, "c")) {
		t.Error("has")
	}
	var syntax, forbidden, immutable = wit.Choice{Case: 0}, wit.Choice{Case: 1}, wit.Choice{Case: 2}
	for _, bad := range []struct {
		name, value string
		want        wit.Choice
	}{
		{"a b", "x", syntax}, {"", "x", syntax}, {"x:", "x", syntax}, {"ä", "x", syntax},
		{"x", "a\r\nb: c", syntax}, {"x", "\x00", syntax}, {"Host", "x", forbidden},
		{"transfer-encoding", "chunked", forbidden}, {"CONNECTION", "close", forbidden}, {"upgrade", "x", forbidden},
	} {
		if e := g.fails(fieldsOf+"append", f, bad.name, []byte(bad.value)); e != bad.want {
			t.Errorf("append %q: %q: %v", bad.name, bad.value, e)
		}
		if e := g.fails(fieldsOf+"set", f, bad.name, []any{[]byte("ok"), []byte(bad.value)}); e != bad.want {
			t.Errorf("set %q: %q: %v", bad.name, bad.value, e)
		}
		if e := g.fails("http/types [static]fields.from-list", []any{[]any{bad.name, []byte(bad.value)}}); e != bad.want {
			t.Errorf("from-list %q: %q: %v", bad.name, bad.value, e)
		}
	}
	r := g.handle("http/types [constructor]outgoing-response", f)
	h := g.handle("http/types [method]outgoing-response.headers", r)
	if g.fails(fieldsOf+"delete", h, "a") != immutable {
		t.Error("headers of a response can be changed")
	}
	g.traps(fieldsOf+"entries", f) // it was handed over
	if g.tryDrop("http/types outgoing-response", r) == nil {
		t.Error("a response was dropped before its headers")
	}
	g.drop("http/types fields", g.handle(fieldsOf+"clone", h))
	g.drop("http/types fields", h)
	g.drop("http/types outgoing-response", r)
}

func TestOutgoingResponseAndRequest(t *testing.T) {
	g := newGuest(t, wasi.Env{})
	r := g.handle("http/types [constructor]outgoing-response", g.headers())
	const resp, req, opt = "http/types [method]outgoing-response.", "http/types [method]outgoing-request.", "http/types [method]request-options."
	for _, status := range []uint16{0, 99, 100, 101, 1000} {
		g.fails(resp+"set-status-code", r, status)
	}
	g.ok(resp+"set-status-code", r, uint16(404))
	if g.call(resp+"status-code", r) != uint16(404) {
		t.Error("status-code")
	}
	b := as[wit.Handle](g.ok(resp+"body", r))
	g.fails(resp+"body", r)
	w := as[wit.Handle](g.ok("http/types [method]outgoing-body.write", b))
	g.fails("http/types [method]outgoing-body.write", b)
	g.traps("http/types [static]outgoing-body.finish", b, wit.None()) // its stream is there
	g.drop("http/types outgoing-response", r)
	if g.fails(out+"check-write", w) != closed {
		t.Error("the body of a response that is not sent can be written")
	}

	q := g.handle("http/types [constructor]outgoing-request", g.headers("a", "b"))
	g.fails(req+"set-method", q, wit.Choice{Case: 9, Value: "NO GOOD"})
	g.ok(req+"set-method", q, wit.Choice{Case: 9, Value: "PURGE"})
	g.ok(req+"set-path-with-query", q, wit.Some("/x?y"))
	g.fails(req+"set-path-with-query", q, wit.Some("/x y"))
	g.fails(req+"set-path-with-query", q, wit.Some("http://other/"))
	g.ok(req+"set-authority", q, wit.Some("example.org:8080"))
	for _, bad := range []string{"a b", "user@host", "host/path", "host?x", ":80", "h\r\nx", "a:b:c"} {
		g.fails(req+"set-authority", q, wit.Some(bad))
	}
	g.ok(req+"set-scheme", q, wit.Some(wit.Choice{Case: 1}))
	g.fails(req+"set-scheme", q, wit.Some(wit.Choice{Case: 2, Value: "x y"}))
	if g.call(req+"method", q) != (wit.Choice{Case: 9, Value: "PURGE"}) || g.call(req+"path-with-query", q) != wit.Some("/x?y") ||
		g.call(req+"authority", q) != wit.Some("example.org:8080") || g.call(req+"scheme", q) != wit.Some(wit.Choice{Case: 1}) {
		t.Error("what was set is not what is there")
	}
	if !as[bool](g.call(fieldsOf+"has", g.handle(req+"headers", q), "a")) {
		t.Error("headers")
	}

	o := g.handle("http/types [constructor]request-options")
	for _, name := range []string{"connect-timeout", "first-byte-timeout", "between-bytes-timeout"} {
		g.ok(opt+"set-"+name, o, wit.Some(uint64(5)))
		if g.call(opt+name, o) != wit.Some(uint64(5)) {
			t.Error(name)
		}
		g.ok(opt+"set-"+name, o, wit.None())
		if g.call(opt+name, o) != wit.None() {
			t.Error(name)
		}
	}
	g.drop("http/types request-options", o)
}

// TestFieldsKeepTheirValues has the guest write where its bytes were.
func TestFieldsKeepTheirValues(t *testing.T) {
	g := newGuest(t, wasi.Env{})
	memory := []byte("one two three")
	f := as[wit.Handle](g.ok("http/types [static]fields.from-list", []any{[]any{"a", memory[:3]}}))
	g.ok(fieldsOf+"set", f, "b", []any{memory[4:7]})
	g.ok(fieldsOf+"append", f, "c", memory[8:])
	clear(memory)
	for name, want := range map[string]string{"a": "one", "b": "two", "c": "three"} {
		if v := as[[]any](g.call(fieldsOf+"get", f, name)); len(v) != 1 || string(as[[]byte](v[0])) != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
}
