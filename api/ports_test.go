package api

import "testing"

func TestFindPort(t *testing.T) {
	all := func(names ...string) (out []Port) {
		for _, n := range names {
			p := Port{Name: Name(n), Port: 1}
			switch n[0] {
			case 'u':
				p.Protocol = "udp"
			case 'h':
				p.Protocol = "http"
			}
			out = append(out, p)
		}
		return out
	}
	for _, tt := range []struct {
		all        []Port
		name, want Name
	}{
		{nil, AnyPort, ""}, {all("u"), AnyPort, ""}, {all("u"), "u", ""}, {all("t"), "x", ""},
		{all("t", "x"), "x", "x"}, {all("t", "x"), AnyPort, "t"}, {all("u", "t"), AnyPort, "t"},
		{all("t", "h"), AnyPort, "h"}, {all("t", "h", "web"), AnyPort, "web"}, {all("h", "http"), AnyPort, "http"}, {all("h", "t"), "t", "t"},
	} {
		if got, ok := FindPort(tt.all, tt.name); got.Name != tt.want || ok != (tt.want != "") {
			t.Errorf("%v, %s: %v, %v; want %s", tt.all, tt.name, got, ok, tt.want)
		}
	}
	if got := EnvPort("admin-2"); got != "REALM_PORT_ADMIN_2" {
		t.Error(got)
	}
}
