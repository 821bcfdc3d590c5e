package httpshape

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Shapes are all that hosts are compared by.
func Shapes() []Shape {
	return slices.Concat(plain(), bodies(), answers(), guestErrors(), impatient(), outgoing(), samples())
}

func get(name, target string, headers ...string) Shape {
	return Shape{Name: name, Component: "http", Target: target, Headers: headers}
}

func post(name, target string, body Body, headers ...string) Shape {
	return Shape{Name: name, Component: "http", Method: "POST", Target: target, Body: &body, Headers: headers}
}

// plain are requests without a body, and what the guest is told of them.
func plain() []Shape {
	var out []Shape
	for _, m := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "PROPFIND"} {
		out = append(out, Shape{Name: "method " + m, Component: "http", Method: m, Target: "/method"})
	}
	many := make([]string, 60)
	for i := range many {
		many[i] = fmt.Sprintf("X-N%d: %d", i, i)
	}
	headers := []Shape{
		get("headers", "/headers", "X-One: 1", "User-Agent: shape", "Accept: */*"),
		get("headers repeated", "/headers", "X-A: one", "X-B: between", "X-A: two", "x-a: three"),
		get("headers empty", "/headers", "X-Empty:", "X-Spaces:    "),
		get("headers not ASCII", "/headers", "X-Latin: caf\xe9"),
		get("headers cookies", "/headers", "Cookie: a=1", "Cookie: b=2"),
		get("headers many", "/headers", many...),
		get("headers of 8,000 bytes", "/headers", "X-Long: "+strings.Repeat("v", 8000)),
		get("headers for one connection", "/headers", "Keep-Alive: timeout=5", "TE: trailers", "Upgrade: h2c"),
	}
	for i := range headers {
		headers[i].SortLines = true
	}
	out = append(out, headers...)
	old := get("HTTP/1.0", "/query/old?x")
	old.HTTP10 = true
	return append(out, old,
		get("headers are immutable", "/change-headers"),
		get("target", "/query/a/b?c=d"),
		get("target encoded", "/query/%41%2F%20%3f?q=%26&r=%zz"),
		get("target doubled slashes", "/query//a//b/../c/./d"),
		get("target empty query", "/query?"),
		get("target two question marks", "/query?a?b=c"),
		get("target semicolons", "/query/x;y=z?a;b&c"),
		get("target of 6,000 bytes", "/query/"+strings.Repeat("long/", 1200)),
		get("target absolute", "http://elsewhere.test/query/x?y"),
		get("not found", "/nothing-here"),
		get("fresh state", "/count"),
		get("fresh state again", "/count"),
		get("random", "/random"),
		get("clock", "/clock"),
		get("memory", "/memory/16"),
	)
}

// bodies are requests with one.
func bodies() []Shape {
	const kib, mib = 1 << 10, 1 << 20
	text := "Content-Type: text/x-shape"
	shapes := []Shape{
		post("echo nothing", "/echo", Body{}, text),
		post("echo nothing chunked", "/echo", Body{Chunked: true}, text),
		post("echo 1 byte", "/echo", Body{Size: 1}, text),
		post("echo 4,096 bytes", "/echo", Body{Size: 4 * kib}, text),
		post("echo 4,097 bytes", "/echo", Body{Size: 4*kib + 1}, text),
		post("echo 100 kB", "/echo", Body{Size: 100000}, text),
		post("echo 1 MiB", "/echo", Body{Size: mib}, text),
		post("echo 1 MiB chunked", "/echo", Body{Size: mib, Chunked: true}, text),
		post("echo small chunks", "/echo", Body{Size: 2000, Piece: 7, Chunked: true}, text),
		post("echo slowly", "/echo", Body{Size: 50, Piece: 10, Pause: 30 * time.Millisecond, Chunked: true}, text),
		post("echo slowly with a length", "/echo", Body{Size: 50, Piece: 10, Pause: 30 * time.Millisecond}, text),
		post("echo trailers", "/echo", Body{Size: 10, Chunked: true, Trailers: []string{"X-Sum: 7"}}, text, "Trailer: X-Sum"),
		post("echo after 100", "/echo", Body{Size: 100, Await100: true}, text, "Expect: 100-continue"),
		post("early after 100", "/early", Body{Size: 100, Await100: true}, "Expect: 100-continue"),
		post("early", "/early", Body{Size: 32 * kib}),
		post("early chunked", "/early", Body{Size: 32 * kib, Chunked: true}),
		post("ignored body", "/count", Body{Size: 1000}),
		post("splice 1 MiB", "/splice", Body{Size: mib}),
		post("length of 1 MiB chunked", "/length-of-body", Body{Size: mib, Chunked: true}),
		post("length of 64 MiB", "/length-of-body", Body{Size: 64 * mib}),
		post("expectation unknown", "/count", Body{Size: 1}, "Expect: miracles"),
		{Name: "GET with body", Component: "http", Method: "GET", Target: "/echo", Body: &Body{Size: 10}},
		{Name: "DELETE with body", Component: "http", Method: "DELETE", Target: "/echo", Body: &Body{Size: 10, Chunked: true}},
	}
	for i := range shapes {
		if shapes[i].Body.Size > 8*mib {
			shapes[i].Within = time.Minute
		}
	}
	return shapes
}

// answers are those that end as they should.
func answers() []Shape {
	var out []Shape
	for _, status := range []int{200, 201, 204, 205, 299, 304, 404, 451, 500, 599} {
		out = append(out, get(fmt.Sprintf("status %d", status), fmt.Sprintf("/status/%d", status)))
	}
	for _, status := range []int{99, 100, 599, 1000} {
		out = append(out, get(fmt.Sprintf("try status %d", status), fmt.Sprintf("/try-status/%d", status)))
	}
	head := get("HEAD of a length", "/announce/10/0")
	head.Method = "HEAD"
	exact := get("length announced", "/announce/1000/1000")
	none := get("length of nothing", "/announce/0/0")
	for _, s := range []*Shape{&head, &exact, &none} {
		s.Length = true
	}
	big := get("64 MiB", "/big/67108864")
	big.Within = time.Minute
	return append(out, head, exact, none, big,
		get("chunks", "/chunks/5/100"), get("chunks of a byte", "/chunks/50/1"),
		get("1 MiB", "/big/1048576"), get("zeroes", "/zeroes/4096"),
		get("trailers", "/trailers", "TE: trailers"), get("slow", "/slow/50"), get("goes on", "/longer/100"),
		get("repeated in the answer", "/repeated"), get("headers that are refused", "/bad-headers"))
}

// guestErrors are those in which the guest does something wrong.
func guestErrors() []Shape {
	shapes := []Shape{
		get("no response", "/no-response"), get("trap", "/trap"), get("trap after some of it", "/trap-after"),
		get("trap after all of it", "/trap-late"), get("unfinished", "/unfinished"), get("set twice", "/set-twice"),
		get("error internal", "/error"), get("error denied", "/error/15"), get("error timeout", "/error/8"),
		get("too short", "/announce/10/5"), get("too long", "/announce/5/10"),
		get("zeroes too many", "/zeroes/4097"),
	}
	for i := range shapes {
		shapes[i].Within = 3 * time.Second
	}
	return shapes
}

// impatient are clients that do not stay until the end.
func impatient() []Shape {
	hang := func(name, target string, after int64) Shape {
		s := get(name, target)
		s.HangUp = after
		return s
	}
	return []Shape{
		hang("hang up in the middle", "/big/16777216", 100000),
		hang("hang up between ticks", "/slow/200", 5),
		post("hang up in the upload", "/length-of-body", Body{Size: 1 << 20, CutAfter: 1 << 18}),
		post("hang up in the echo", "/echo", Body{Size: 1 << 20, CutAfter: 1, Piece: 1000, Chunked: true}),
	}
}

// outgoing are requests for which the guest asks another server.
func outgoing() []Shape {
	var out []Shape
	for _, path := range []string{"plain", "plain?q=1&r=%20", "teapot", "big", "slow", "trailers", "redirect", "cut", "missing"} {
		out = append(out, get("fetch "+path, "/fetch?http://{upstream}/"+path))
	}
	return append(out, get("fetch refused", "/fetch?http://127.0.0.1:1/"))
}
