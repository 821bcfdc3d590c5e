package manifest

import (
	"math"

	"github.com/realm-mesh/realm/api"
)

func (d *document) mounts(f field) (mounts []api.Mount) {
	bad := false
	for _, item := range d.list(f) {
		var m api.Mount
		before := len(d.problems)
		d.table(item, "a mount", keys{
			"host":  func(f field) { m.Host, _ = d.str(f) },
			"guest": func(f field) { m.Guest, _ = d.str(f) },
			"ro":    func(f field) { m.RO, _ = d.flag(f) },
		})
		if len(d.problems) > before || !d.valid(item, api.Component{Mounts: []api.Mount{m}}) {
			bad = true
		}
		mounts = append(mounts, m)
	}
	if !bad {
		d.valid(f, api.Component{Mounts: mounts})
	}
	return mounts
}

func (d *document) ports(f field) (ports []api.Port) {
	bad := false
	for _, item := range d.list(f) {
		var p api.Port
		before := len(d.problems)
		d.table(item, "a port", keys{
			"name":     func(f field) { s, _ := d.str(f); p.Name = api.Name(s) },
			"port":     func(f field) { n, _ := d.integer(f, math.MaxUint16); p.Port = int(n) },
			"protocol": func(f field) { p.Protocol = d.choice(f, "tcp", "udp", "http") },
		})
		if len(d.problems) > before || !d.valid(item, api.Component{Ports: []api.Port{p}}) {
			bad = true
		}
		ports = append(ports, p)
	}
	if !bad {
		d.valid(f, api.Component{Ports: ports})
	}
	return ports
}

func (d *document) health(f field) *api.Health {
	var h api.Health
	d.table(f, "health", keys{
		"path":     func(f field) { h.Path, _ = d.str(f); d.valid(f, web(api.Health{Path: h.Path})) },
		"interval": func(f field) { h.Interval = d.duration(f); d.valid(f, web(api.Health{Interval: h.Interval})) },
		"timeout":  func(f field) { h.Timeout = d.duration(f); d.valid(f, web(api.Health{Timeout: h.Timeout})) },
		"alive":    func(f field) { h.Alive = d.duration(f); d.valid(f, web(api.Health{Alive: h.Alive})) },
		"failures": func(f field) {
			n, _ := d.integer(f, math.MaxInt32)
			h.Failures = int(n)
			d.valid(f, web(api.Health{Failures: h.Failures}))
		},
	})
	if h == (api.Health{}) {
		return nil
	}
	return &h
}

// web is a component of which only its health may be wrong.
func web(h api.Health) api.Component {
	return api.Component{Interface: api.InterfaceCGI, Health: &h}
}

func (d *document) update(f field) *api.Update {
	var u api.Update
	d.table(f, "update", keys{
		"order":           func(f field) { u.Order = api.Order(d.choice(f, "start-first", string(api.StopFirst))) },
		"max_unavailable": func(f field) { u.MaxUnavailable = d.share(f) },
		"deadline": func(f field) {
			u.Deadline = d.duration(f)
			d.valid(f, api.Component{Update: &api.Update{Deadline: u.Deadline}})
		},
	})
	if u == (api.Update{}) {
		return nil
	}
	return &u
}

func (d *document) route(f field) *api.Route {
	var r api.Route
	before := len(d.problems)
	d.table(f, "route", keys{
		"host": func(f field) { r.Host, _ = d.str(f) },
		"path": func(f field) { r.Path, _ = d.str(f) },
	})
	if len(d.problems) == before {
		d.valid(f, api.Component{Route: &r})
	}
	return &r
}
