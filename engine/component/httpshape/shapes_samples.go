package httpshape

// samples are requests to components of other sources and toolchains.
func samples() []Shape {
	var out []Shape
	for _, s := range []Shape{
		{Name: "GET", Target: "/a?b", Headers: []string{"User-Agent: shape"}},
		{Name: "two agents", Target: "/", Headers: []string{"User-Agent: one", "User-Agent: two"}},
		{Name: "HEAD", Method: "HEAD", Target: "/"},
		{Name: "POST", Method: "POST", Target: "/", Body: &Body{Size: 10}},
	} {
		s.Name, s.Component = "hello-http "+s.Name, "hello-http"
		out = append(out, s)
	}
	return out
}
