package manifest

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/realm-mesh/realm/api"
)

// component reads a table of [components].
func (d *document) component(f field, dir string) Component {
	c := Component{At: d.where(f.at.from)}
	before := len(d.problems)
	name, err := api.ParseName(f.key)
	if err != nil {
		d.wrong(f.at, "%s", err)
	}
	c.Name = name
	sourced := false
	known := keys{
		"source": func(f field) {
			sourced = true
			c.At = d.where(f.value.at.from)
			if s, ok := d.str(f); ok {
				c.Source = d.source(f, dir, s)
			}
		},
		"sha256_hex":      func(f field) { c.SHA256 = d.digest(f) },
		"target_peer_ids": func(f field) { c.Target.Peers = d.peers(f) },
		"target_tags":     func(f field) { c.Target.Tags = d.tags(f) },
	}
	d.bodyKeys(&c.Body, known)
	d.table(f, fmt.Sprintf("[components.%s]", clip(f.key)), known)
	switch {
	case f.kind != kindTable:
	case !sourced:
		d.wrong(f.at, "component %s: source is missing: say where its program is, as in source = \"web.wasm\"", clip(f.key))
	case len(d.problems) == before:
		d.whole(f, &c)
	}
	return c
}

// whole checks what no key tells by itself.
func (d *document) whole(f field, c *Component) {
	if c.Source.Kind == Blob && !c.SHA256.IsZero() && c.SHA256 != c.Source.SHA256 {
		d.wrong(f.at, "component %s: source and sha256_hex name different programs", c.Name)
	}
	if err := c.Target.Validate(); err != nil {
		d.wrong(f.at, "component %s: %s", c.Name, err)
	}
	d.valid(field{key: "component " + string(c.Name), value: &value{at: f.at}}, c.Body)
}

// valid has the component check what one key of it has set.
func (d *document) valid(f field, c api.Component) bool {
	c.Module.Blob, c.Module.Size = api.Sum(nil), 1 // not known yet
	if err := c.Validate(); err != nil {
		d.wrong(f.value.at, "%s", err)
		return false
	}
	return true
}

// bodyKeys adds to known what is read into a component's intent.
func (d *document) bodyKeys(c *api.Component, known keys) {
	limits := &c.Module.Limits
	more := keys{
		"memory_max_mb": func(f field) {
			n, _ := d.integer(f, api.MaxMemoryMB)
			limits.MemoryMaxMB = int(n)
		},
		"fuel": func(f field) {
			n, _ := d.integer(f, math.MaxInt64)
			limits.Fuel = uint64(n)
		},
		"epoch_ms":    func(f field) { limits.EpochMS, _ = d.integer(f, api.MaxEpochMS) },
		"http":        func(f field) { c.Interface = d.http(f) },
		"args":        func(f field) { c.Args = d.args(f) },
		"env":         func(f field) { c.Env = d.env(f) },
		"start":       func(f field) { set, ok := d.flag(f); c.Stopped = ok && !set },
		"replicas":    func(f field) { c.Replicas = d.replicas(f) },
		"mounts":      func(f field) { c.Mounts = d.mounts(f) },
		"ports":       func(f field) { c.Ports = d.ports(f) },
		"visibility":  func(f field) { c.Visibility = api.Visibility(d.choice(f, "local", string(api.VisibilityPublic))) },
		"allow_hosts": func(f field) { c.AllowHosts = d.hosts(f) },
		"restart": func(f field) {
			c.Restart = api.RestartPolicy(d.choice(f, "on-failure", string(api.RestartAlways), string(api.RestartNever)))
		},
		"health": func(f field) { c.Health = d.health(f) },
		"update": func(f field) { c.Update = d.update(f) },
		"route":  func(f field) { c.Route = d.route(f) },
	}
	for k, read := range more {
		known[k] = read
	}
}

func (d *document) digest(f field) api.Digest {
	s, ok := d.str(f)
	if !ok {
		return api.Digest{}
	}
	sum, err := api.ParseDigest(s)
	if err != nil {
		d.wrong(f.value.at, "%s: want the sha256 of the program, as sha256sum prints it: 64 digits 0-9 and a-f", f.key)
	}
	return sum
}

func (d *document) http(f field) api.Interface {
	s, ok := d.str(f)
	if ok && !slices.Contains(api.Interfaces(), api.Interface(s)) {
		d.wrong(f.value.at, "http: %q: want \"wasi\" or \"cgi\"; leave the key out for a program that answers no HTTP", clip(s))
		return ""
	}
	return api.Interface(s)
}

func (d *document) args(f field) (args []string) {
	d.strings(f, func(_ field, s string) { args = append(args, s) })
	d.valid(f, api.Component{Args: args})
	return args
}

func (d *document) env(f field) map[string]string {
	if !d.is(f, kindTable) || len(f.fields) == 0 {
		return nil
	}
	env := map[string]string{}
	for _, v := range f.fields {
		if s, ok := d.str(v); ok && d.valid(v, api.Component{Env: map[string]string{v.key: s}}) {
			env[v.key] = s
		}
	}
	return env
}

// replicas reads a number or "every", which is 0.
func (d *document) replicas(f field) int {
	if f.kind == unstable.Integer {
		n, _ := d.integer(f, api.MaxReplicas)
		return int(n)
	}
	if f.kind != unstable.String || f.text != "every" {
		d.wrong(f.value.at, "replicas: want a number from 1, or \"every\" for one on each node that it is for")
	}
	return 0
}

func (d *document) peers(f field) (peers []api.PeerID) {
	d.strings(f, func(item field, s string) {
		p, err := api.ParsePeerID(s)
		if err != nil {
			d.wrong(item.value.at, "%s: %q: want a peer id as realm peers prints it: 52 characters from 12D3KooW", f.key, clip(s))
			return
		}
		peers = append(peers, p)
	})
	return peers
}

func (d *document) tags(f field) (tags []string) {
	d.strings(f, func(item field, s string) {
		if err := api.ValidateTags([]string{s}); err != nil {
			d.wrong(item.value.at, "%s", err)
			return
		}
		tags = append(tags, s)
	})
	return tags
}

func (d *document) hosts(f field) (hosts []string) {
	d.strings(f, func(item field, s string) {
		if d.valid(item, api.Component{AllowHosts: []string{s}}) {
			hosts = append(hosts, s)
		}
	})
	d.valid(f, api.Component{AllowHosts: hosts})
	return hosts
}

// share reads a number, or a string with a number or a percentage.
func (d *document) share(f field) api.Share {
	s := api.Share(f.text)
	switch f.kind {
	case unstable.Integer:
		n, ok := d.integer(f, api.MaxReplicas)
		if !ok {
			return ""
		}
		return api.Share(strconv.FormatInt(n, 10))
	case unstable.String:
		if s == "" || (&api.Update{MaxUnavailable: s}).Validate() != nil {
			d.wrong(f.value.at, "%s: %q: want a number from 1, or a share such as \"25%%\"", f.key, clip(f.text))
			return ""
		}
		return s
	}
	d.wrong(f.value.at, "%s: want a number, or a share such as \"25%%\", not %s", f.key, f.what)
	return ""
}
