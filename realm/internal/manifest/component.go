package manifest

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/tomlfile"
)

// component reads a table of [components].
func (d *document) component(f tomlfile.Field, dir string) Component {
	c := Component{At: d.Where(f.At.From), read: d.Document}
	before := len(d.Problems)
	name, err := api.ParseName(f.Key)
	if err != nil {
		d.Wrong(f.At, "%s", err)
	}
	c.Name = name
	sourced := false
	known := tomlfile.Keys{
		"source": func(f tomlfile.Field) {
			sourced = true
			c.At = d.Where(f.Value.At.From)
			if s, ok := d.Str(f); ok {
				c.Source = d.Source(f, dir, "the path of a .wasm or .realm file", s)
			}
		},
		"sha256_hex":      func(f tomlfile.Field) { c.SHA256 = d.Digest(f) },
		"target_peer_ids": func(f tomlfile.Field) { c.Target.Peers = d.Peers(f) },
		"target_tags":     func(f tomlfile.Field) { c.Target.Tags = d.Tags(f) },
	}
	for key, read := range BodyKeys(d.Document, &c.Body) {
		known[key] = func(f tomlfile.Field) {
			c.fields = append(c.fields, f)
			read(f)
		}
	}
	known["mounts"] = func(f tomlfile.Field) { c.readMounts(d, f, dir) }
	d.Table(f, fmt.Sprintf("[components.%s]", tomlfile.Clip(f.Key)), known)
	switch {
	case f.Kind != tomlfile.KindTable:
	case !sourced:
		d.Wrong(f.At, "component %s: source is missing: say where its program is, as in source = \"web.wasm\"", tomlfile.Clip(f.Key))
	case len(d.Problems) == before:
		d.whole(f, &c)
	}
	return c
}

// whole checks what no key tells by itself.
func (d *document) whole(f tomlfile.Field, c *Component) {
	if c.Source.Kind == Blob && !c.SHA256.IsZero() && c.SHA256 != c.Source.SHA256 {
		d.Wrong(f.At, "component %s: source and sha256_hex name different programs", c.Name)
	}
	if err := c.Target.Validate(); err != nil {
		d.Wrong(f.At, "component %s: %s", c.Name, err)
	}
	if c.Source.Package() {
		return // it says more: the whole is checked when that is known
	}
	body := c.Body
	body.Mounts = nil
	for _, m := range c.Mounts {
		body.Mounts = append(body.Mounts, m.Stand(false))
	}
	d.Valid(tomlfile.Field{Key: "component " + string(c.Name), Value: &tomlfile.Value{At: f.At}}, body)
}

// readMounts reads the folders of a component, those of this machine from dir on.
func (c *Component) readMounts(d *document, f tomlfile.Field, dir string) {
	c.Mounts = d.Mounts(f, false)
	for i := range c.Mounts {
		m := &c.Mounts[i]
		if path := filepath.FromSlash(m.Folder); m.Folder != "" && !filepath.IsAbs(path) {
			m.Folder = filepath.Join(dir, path)
		}
		c.Body.Mounts = append(c.Body.Mounts, m.Mount)
	}
}

// Over is what the component asks for where its source is a package, which asks for base:
// base, with what the table says in its place. A mount takes the place of the one that is
// seen at the same path.
func (c *Component) Over(base api.Component) api.Component {
	again := BodyKeys(c.read, &base)
	for _, f := range c.fields {
		again[f.Key](f) // without problems: it was read before
	}
	base.Mounts = slices.DeleteFunc(slices.Clone(base.Mounts), func(m api.Mount) bool {
		return slices.ContainsFunc(c.Body.Mounts, func(mine api.Mount) bool { return mine.Guest == m.Guest })
	})
	base.Mounts = append(base.Mounts, c.Body.Mounts...)
	return base
}

// BodyKeys are the keys of a component that are read into its intent, but for mounts.
func BodyKeys(file *tomlfile.Document, c *api.Component) tomlfile.Keys {
	d := &document{file}
	limits := &c.Module.Limits
	return tomlfile.Keys{
		"memory_max_mb": func(f tomlfile.Field) {
			n, _ := d.Integer(f, api.MaxMemoryMB)
			limits.MemoryMaxMB = int(n)
		},
		"fuel": func(f tomlfile.Field) {
			n, _ := d.Integer(f, math.MaxInt64)
			limits.Fuel = uint64(n)
		},
		"epoch_ms": func(f tomlfile.Field) { limits.EpochMS, _ = d.Integer(f, api.MaxEpochMS) },
		"http":     func(f tomlfile.Field) { c.Interface = d.http(f) },
		"args":     func(f tomlfile.Field) { c.Args = d.Args(f) },
		"env":      func(f tomlfile.Field) { c.Env = d.Env(f) },
		"start":    func(f tomlfile.Field) { set, ok := d.Flag(f); c.Stopped = ok && !set },
		"replicas": func(f tomlfile.Field) { c.Replicas = d.replicas(f) },
		"secrets":  func(f tomlfile.Field) { c.Secrets = d.Secrets(f) },
		"ports":    func(f tomlfile.Field) { c.Ports = d.Ports(f) },
		"visibility": func(f tomlfile.Field) {
			c.Visibility = api.Visibility(d.Choice(f, "local", string(api.VisibilityPublic)))
		},
		"allow_hosts": func(f tomlfile.Field) { c.AllowHosts = d.Hosts(f) },
		"restart": func(f tomlfile.Field) {
			c.Restart = api.RestartPolicy(d.Choice(f, "on-failure", string(api.RestartAlways), string(api.RestartNever)))
		},
		"health": func(f tomlfile.Field) { c.Health = d.health(f) },
		"update": func(f tomlfile.Field) { c.Update = d.update(f) },
		"route":  func(f tomlfile.Field) { c.Route = d.route(f) },
	}
}

func (d *document) http(f tomlfile.Field) api.Interface {
	s, ok := d.Str(f)
	if ok && !slices.Contains(api.Interfaces(), api.Interface(s)) {
		d.Wrong(f.Value.At, "http: %q: want \"wasi\" or \"cgi\"; leave the key out for a program that answers no HTTP", tomlfile.Clip(s))
		return ""
	}
	return api.Interface(s)
}

// replicas reads a number or "every", which is 0.
func (d *document) replicas(f tomlfile.Field) int {
	if f.Kind == unstable.Integer {
		n, _ := d.Integer(f, api.MaxReplicas)
		return int(n)
	}
	if f.Kind != unstable.String || f.Text != "every" {
		d.Wrong(f.Value.At, "replicas: want a number from 1, or \"every\" for one on each node that it is for")
	}
	return 0
}

// share reads a number, or a string with a number or a percentage.
func (d *document) share(f tomlfile.Field) api.Share {
	s := api.Share(f.Text)
	switch f.Kind {
	case unstable.Integer:
		n, ok := d.Integer(f, api.MaxReplicas)
		if !ok {
			return ""
		}
		return api.Share(strconv.FormatInt(n, 10))
	case unstable.String:
		if s == "" || (&api.Update{MaxUnavailable: s}).Validate() != nil {
			d.Wrong(f.Value.At, "%s: %q: want a number from 1, or a share such as \"25%%\"", f.Key, tomlfile.Clip(f.Text))
			return ""
		}
		return s
	}
	d.Wrong(f.Value.At, "%s: want a number, or a share such as \"25%%\", not %s", f.Key, f.What)
	return ""
}
