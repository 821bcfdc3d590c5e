package manifest

import (
	"math"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/tomlfile"
)

func (d *document) health(f tomlfile.Field) *api.Health {
	var h api.Health
	d.Table(f, "health", tomlfile.Keys{
		"path":     func(f tomlfile.Field) { h.Path, _ = d.Str(f); d.Valid(f, web(api.Health{Path: h.Path})) },
		"interval": func(f tomlfile.Field) { h.Interval = d.Duration(f); d.Valid(f, web(api.Health{Interval: h.Interval})) },
		"timeout":  func(f tomlfile.Field) { h.Timeout = d.Duration(f); d.Valid(f, web(api.Health{Timeout: h.Timeout})) },
		"alive":    func(f tomlfile.Field) { h.Alive = d.Duration(f); d.Valid(f, web(api.Health{Alive: h.Alive})) },
		"failures": func(f tomlfile.Field) {
			n, _ := d.Integer(f, math.MaxInt32)
			h.Failures = int(n)
			d.Valid(f, web(api.Health{Failures: h.Failures}))
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

func (d *document) update(f tomlfile.Field) *api.Update {
	var u api.Update
	d.Table(f, "update", tomlfile.Keys{
		"order":           func(f tomlfile.Field) { u.Order = api.Order(d.Choice(f, "start-first", string(api.StopFirst))) },
		"max_unavailable": func(f tomlfile.Field) { u.MaxUnavailable = d.share(f) },
		"deadline": func(f tomlfile.Field) {
			u.Deadline = d.Duration(f)
			d.Valid(f, api.Component{Update: &api.Update{Deadline: u.Deadline}})
		},
	})
	if u == (api.Update{}) {
		return nil
	}
	return &u
}

func (d *document) route(f tomlfile.Field) *api.Route {
	var r api.Route
	before := len(d.Problems)
	d.Table(f, "route", tomlfile.Keys{
		"host": func(f tomlfile.Field) { r.Host, _ = d.Str(f) },
		"path": func(f tomlfile.Field) { r.Path, _ = d.Str(f) },
	})
	if len(d.Problems) == before {
		d.Valid(f, api.Component{Route: &r})
	}
	return &r
}
