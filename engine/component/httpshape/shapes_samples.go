package httpshape

import (
	"slices"
	"time"
)

// samples are requests to components of other sources and toolchains.
func samples() []Shape { return slices.Concat(helloC(), proxy(), rust(), javaScript()) }

// of gives shapes to a component, and its name to theirs.
func of(component string, shapes []Shape) []Shape {
	for i := range shapes {
		shapes[i].Name, shapes[i].Component = component+" "+shapes[i].Name, component
	}
	return shapes
}

func helloC() []Shape {
	return of("hello-http", []Shape{
		get("GET", "/a?b", "User-Agent: shape"),
		get("two agents", "/", "User-Agent: one", "User-Agent: two"),
		{Name: "HEAD", Method: "HEAD", Target: "/"},
		post("POST", "/", Body{Size: 10}),
	})
}

func proxy() []Shape {
	return of("proxy", []Shape{
		get("GET", "/http://{upstream}/plain?a=b&c"),
		get("status and headers", "/http://{upstream}/teapot"),
		get("1 MiB", "/http://{upstream}/big"),
		get("slow", "/http://{upstream}/slow"),
		get("redirect", "/http://{upstream}/redirect"),
		get("cut", "/http://{upstream}/cut"),
		get("headers both ways", "/http://{upstream}/show", "X-One: 1", "Accept: text/plain", "TE: trailers"),
		post("POST", "/http://{upstream}/show?q", Body{Size: 1000}, "Content-Type: text/x-shape"),
		post("POST chunked", "/http://{upstream}/show", Body{Size: 100000, Chunked: true}),
		post("POST slowly", "/http://{upstream}/show", Body{Size: 30, Piece: 10, Pause: 30 * time.Millisecond, Chunked: true}),
		{Name: "PUT", Method: "PUT", Target: "/http://{upstream}/show", Body: &Body{Size: 5}},
		{Name: "method of its own", Method: "PURGE", Target: "/http://{upstream}/show"},
		{Name: "HEAD", Method: "HEAD", Target: "/http://{upstream}/plain"},
		get("no URL", "/plain"),
		get("refused", "/http://127.0.0.1:1/"),
	})
}

func rust() []Shape {
	return of("rust-web", []Shape{
		get("GET", "/"), get("not found", "/nothing"), get("env", "/env"), get("print", "/print"), get("sleep", "/sleep"),
		post("upper", "/upper", Body{Size: 100}), post("upper 1 MiB chunked", "/upper", Body{Size: 1 << 20, Chunked: true}),
		post("letters", "/letters", Body{Size: 100000}), post("letters of nothing", "/letters", Body{}),
		get("panic", "/panic"),
	})
}

func javaScript() []Shape {
	return of("hello-js", []Shape{
		get("GET", "/", "User-Agent: shape"), get("not found", "/nothing"), get("streamed", "/count?to=3"), get("throws", "/throw"),
		{Name: "HEAD", Method: "HEAD", Target: "/"},
		post("echo", "/echo", Body{Size: 5000}, "Content-Type: text/x-shape"),
		post("echo 1 MiB chunked", "/echo", Body{Size: 1 << 20, Chunked: true}, "Content-Type: text/x-shape"),
		post("echo slowly", "/echo", Body{Size: 30, Piece: 10, Pause: 30 * time.Millisecond, Chunked: true}),
		post("JSON", "/json?q", Body{Size: 70000}),
	})
}
