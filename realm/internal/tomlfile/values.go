package tomlfile

import (
	"math"

	"github.com/realm-mesh/realm/api"
)

// Digest reads a SHA-256 of a program.
func (d *Document) Digest(f Field) api.Digest {
	s, ok := d.Str(f)
	if !ok {
		return api.Digest{}
	}
	sum, err := api.ParseDigest(s)
	if err != nil {
		d.Wrong(f.Value.At, "%s: want the sha256 of the program, as sha256sum prints it: 64 digits 0-9 and a-f", f.Key)
	}
	return sum
}

// Args reads the arguments of a program.
func (d *Document) Args(f Field) (args []string) {
	d.Strings(f, func(_ Field, s string) { args = append(args, s) })
	d.Valid(f, api.Component{Args: args})
	return args
}

// Env reads variables of the environment.
func (d *Document) Env(f Field) map[string]string {
	if !d.Is(f, KindTable) || len(f.Fields) == 0 {
		return nil
	}
	env := map[string]string{}
	for _, v := range f.Fields {
		if s, ok := d.Str(v); ok && d.Valid(v, api.Component{Env: map[string]string{v.Key: s}}) {
			env[v.Key] = s
		}
	}
	return env
}

// Peers reads a list of peer ids.
func (d *Document) Peers(f Field) (peers []api.PeerID) {
	d.Strings(f, func(item Field, s string) {
		p, err := api.ParsePeerID(s)
		if err != nil {
			d.Wrong(item.Value.At, "%s: %q: want a peer id as realm peers prints it: 52 characters from 12D3KooW", f.Key, Clip(s))
			return
		}
		peers = append(peers, p)
	})
	return peers
}

// Tags reads a list of roles.
func (d *Document) Tags(f Field) (tags []string) {
	d.Strings(f, func(item Field, s string) {
		if err := api.ValidateTags([]string{s}); err != nil {
			d.Wrong(item.Value.At, "%s", err)
			return
		}
		tags = append(tags, s)
	})
	return tags
}

// Hosts reads a list of hosts that a program may ask.
func (d *Document) Hosts(f Field) (hosts []string) {
	d.Strings(f, func(item Field, s string) {
		if d.Valid(item, api.Component{AllowHosts: []string{s}}) {
			hosts = append(hosts, s)
		}
	})
	d.Valid(f, api.Component{AllowHosts: hosts})
	return hosts
}

// Valid has the component check what one key of it has set.
func (d *Document) Valid(f Field, c api.Component) bool {
	c.Module.Blob, c.Module.Size = api.Sum(nil), 1 // not known yet
	if err := c.Validate(); err != nil {
		d.Wrong(f.Value.At, "%s", err)
		return false
	}
	return true
}

// Secrets reads the secrets that a program is given.
func (d *Document) Secrets(f Field) (uses []api.SecretUse) {
	bad := false
	for _, item := range d.List(f) {
		var u api.SecretUse
		before := len(d.Problems)
		d.Table(item, "a secret", Keys{
			"name": func(f Field) { s, _ := d.Str(f); u.Name = api.Name(s) },
			"env":  func(f Field) { u.Env, _ = d.Str(f) },
			"file": func(f Field) { u.File, _ = d.Str(f) },
		})
		if u.Env == "" && u.File == "" && u.Name != "" {
			u.File = "/run/secrets/" + string(u.Name)
		}
		if len(d.Problems) > before || !d.Valid(item, api.Component{Secrets: []api.SecretUse{u}}) {
			bad = true
		}
		uses = append(uses, u)
	}
	if !bad {
		d.Valid(f, api.Component{Secrets: uses})
	}
	return uses
}

// Ports reads the ports that a program listens on.
func (d *Document) Ports(f Field) (ports []api.Port) {
	bad := false
	for _, item := range d.List(f) {
		var p api.Port
		before := len(d.Problems)
		d.Table(item, "a port", Keys{
			"name":     func(f Field) { s, _ := d.Str(f); p.Name = api.Name(s) },
			"port":     func(f Field) { n, _ := d.Integer(f, math.MaxUint16); p.Port = int(n) },
			"protocol": func(f Field) { p.Protocol = d.Choice(f, "tcp", "udp", "http") },
		})
		if len(d.Problems) > before || !d.Valid(item, api.Component{Ports: []api.Port{p}}) {
			bad = true
		}
		ports = append(ports, p)
	}
	if !bad {
		d.Valid(f, api.Component{Ports: ports})
	}
	return ports
}
