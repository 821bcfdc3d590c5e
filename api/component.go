package api

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Interface says how a component is spoken to.
type Interface string

// The interfaces of this version.
const (
	InterfaceCommand Interface = ""     // a replica runs, and goes on until it ends
	InterfaceCGI     Interface = "cgi"  // one fresh instance per HTTP request, by RFC 3875
	InterfaceHTTP    Interface = "wasi" // likewise, by wasi:http/incoming-handler
)

// Interfaces are all by which a component answers HTTP.
func Interfaces() []Interface { return []Interface{InterfaceCGI, InterfaceHTTP} }

// Validate implements [Validator].
func (i Interface) Validate() error {
	if i == InterfaceCommand || slices.Contains(Interfaces(), i) {
		return nil
	}
	return fmt.Errorf("interface %.40q: want cgi or wasi, or none", i)
}

// Component is the body of a [KindComponent] intent: a command, or a web
// program, of which replicas are kept on members that its target names.
type Component struct {
	Module    Program           `json:"program"`
	Interface Interface         `json:"interface,omitempty"`
	Args      []string          `json:"args,omitempty"` // after the program's name
	Env       map[string]string `json:"env,omitempty"`
	Stopped   bool              `json:"stopped,omitempty"`

	// Replicas is how many members run it, one replica each; 0: every one that its
	// target names.
	Replicas   int           `json:"replicas,omitempty"`
	Mounts     []Mount       `json:"mounts,omitempty"`
	Secrets    []SecretUse   `json:"secrets,omitempty"`
	Ports      []Port        `json:"ports,omitempty"`
	Visibility Visibility    `json:"visibility,omitempty"`
	AllowHosts []string      `json:"allow_hosts,omitempty"` // where it may send requests to: [ValidateAllowHosts]
	Health     *Health       `json:"health,omitempty"`      // nil: the defaults
	Update     *Update       `json:"update,omitempty"`      // nil: the defaults
	Restart    RestartPolicy `json:"restart,omitempty"`
	Route      *Route        `json:"route,omitempty"`
	Source     Source        `json:"source,omitzero"`
	// Restarted is when somebody last asked for all replicas to be started anew.
	Restarted time.Time `json:"restarted,omitzero"`
}

// Limits of a component.
const (
	MaxReplicas = 10_000
	maxArgsEnv  = 32 << 10 // bytes of arguments and environment all together
	maxPorts    = 32
	maxPath     = 1024 // bytes
)

// Program implements [Workload].
func (c *Component) Program() Program { return c.Module }

// Started implements [Workload].
func (c *Component) Started() bool { return !c.Stopped }

// Instance implements [Workload]: replicas, target, update and source are no part
// of it.
func (c *Component) Instance() Digest {
	env := c.Env
	if len(env) == 0 {
		env = nil
	}
	parts := []any{c.Module, c.Interface, some(c.Args), env, some(c.Mounts), some(c.Ports), some(c.AllowHosts),
		c.Health.WithDefaults(), c.Restart, c.Restarted.UTC().Format(time.RFC3339Nano)}
	if len(c.Secrets) > 0 {
		parts = append(parts, c.Secrets)
	}
	return instance(parts...)
}

// Validate implements [Validator].
func (c *Component) Validate() error {
	if c.Replicas < 0 || c.Replicas > MaxReplicas {
		return fmt.Errorf("replicas %d: want 1 to %d, or every", c.Replicas, MaxReplicas)
	}
	for _, check := range []func() error{c.validateArgs, c.validateMounts, c.validateSecrets, c.validatePorts,
		func() error { return ValidateAllowHosts(c.AllowHosts) },
		c.Interface.Validate, c.Visibility.Validate, c.Restart.Validate, c.Source.Validate, c.Module.Validate} {
		if err := check(); err != nil {
			return err
		}
	}
	if c.Health != nil {
		if c.Health.Path != "" && c.Interface == InterfaceCommand {
			return errors.New("health: path is for programs that answer HTTP")
		}
		if err := c.Health.Validate(); err != nil {
			return err
		}
	}
	if c.Update != nil {
		if err := c.Update.Validate(); err != nil {
			return err
		}
	}
	if c.Route != nil {
		return c.Route.Validate()
	}
	return nil
}

func (c *Component) validateArgs() error {
	total := 0
	for _, a := range c.Args {
		if strings.ContainsRune(a, 0) {
			return errors.New("args: an argument holds a NUL")
		}
		if !utf8.ValidString(a) { // JSON would make other text of it
			return fmt.Errorf("args: %.80q: want text in UTF-8", a)
		}
		total += len(a) + 1
	}
	for k, v := range c.Env {
		if k == "" || strings.ContainsAny(k, "=\x00") || strings.ContainsRune(v, 0) {
			return fmt.Errorf("env %.80q: want NAME without '=', and no NULs", k)
		}
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			return fmt.Errorf("env %.80q: want text in UTF-8", k)
		}
		total += len(k) + len(v) + 2
	}
	if total > maxArgsEnv {
		return fmt.Errorf("args and env: %d bytes, at most %d", total, maxArgsEnv)
	}
	return nil
}

// Port is one that a program listens on.
type Port struct {
	Name     Name   `json:"name"`
	Port     int    `json:"port"`
	Protocol string `json:"protocol,omitempty"` // tcp, udp or http; tcp where left out
}

func (c *Component) validatePorts() error {
	if len(c.Ports) > maxPorts {
		return fmt.Errorf("%d ports: at most %d", len(c.Ports), maxPorts)
	}
	seen := map[Name]bool{}
	for _, p := range c.Ports {
		if _, err := ParseName(string(p.Name)); err != nil {
			return fmt.Errorf("port: %w", err)
		}
		switch {
		case seen[p.Name]:
			return fmt.Errorf("port %s: there are two of them", p.Name)
		case p.Port < 1 || p.Port > 65535:
			return fmt.Errorf("port %s: %d: want 1 to 65535", p.Name, p.Port)
		case p.Protocol != "" && p.Protocol != "tcp" && p.Protocol != "udp" && p.Protocol != "http":
			return fmt.Errorf("port %s: protocol %.40q: want tcp, udp or http", p.Name, p.Protocol)
		}
		seen[p.Name] = true
	}
	return nil
}

// plain reports whether s is text without blanks and control characters, which would
// say something else in a request.
func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
}

// Visibility says who may reach a component.
type Visibility string

// The visibilities.
const (
	VisibilityLocal  Visibility = ""       // whoever reaches the gateway of a member
	VisibilityPublic Visibility = "public" // everybody, through members with the role edge
)

// Validate implements [Validator].
func (v Visibility) Validate() error {
	if v != VisibilityLocal && v != VisibilityPublic {
		return fmt.Errorf("visibility %.40q: want local or public", string(v))
	}
	return nil
}

// RestartPolicy says what follows when a command has ended.
type RestartPolicy string

// The policies.
const (
	RestartOnFailure RestartPolicy = ""       // started again unless it has ended with code 0
	RestartAlways    RestartPolicy = "always" // started again in any case
	RestartNever     RestartPolicy = "never"  // left as it is
)

// Validate implements [Validator].
func (p RestartPolicy) Validate() error {
	switch p {
	case RestartOnFailure, RestartAlways, RestartNever:
		return nil
	}
	return fmt.Errorf("restart %.40q: want on-failure, always or never", string(p))
}

// Health says when a replica is ready, and when it is well. Zero values mean the
// defaults.
type Health struct {
	Path     string   `json:"path,omitempty"`     // of a web program: GET answers 200 to 399; empty: nothing is asked
	Interval Duration `json:"interval,omitzero"`  // between two probes of a replica that is ready; default 10 s
	Timeout  Duration `json:"timeout,omitzero"`   // of one probe; default 2 s
	Failures int      `json:"failures,omitempty"` // in a row until it counts as ill; default 3
	Alive    Duration `json:"alive,omitzero"`     // a command that has lived so long is ready; default 250 ms
}

// Defaults of [Health].
const (
	DefaultHealthInterval = 10 * time.Second
	DefaultHealthTimeout  = 2 * time.Second
	DefaultHealthFailures = 3
	DefaultAlive          = 250 * time.Millisecond

	maxHealth   = time.Hour
	maxFailures = 100
)

// WithDefaults returns h, which may be nil, with nothing left out.
func (h *Health) WithDefaults() Health {
	var out Health
	if h != nil {
		out = *h
	}
	for _, d := range []struct {
		at   *Duration
		want time.Duration
	}{{&out.Interval, DefaultHealthInterval}, {&out.Timeout, DefaultHealthTimeout}, {&out.Alive, DefaultAlive}} {
		if *d.at == 0 {
			*d.at = Duration(d.want)
		}
	}
	if out.Failures == 0 {
		out.Failures = DefaultHealthFailures
	}
	return out
}

// Validate implements [Validator].
func (h *Health) Validate() error {
	if h.Path != "" && !strings.HasPrefix(h.Path, "/") || len(h.Path) > maxPath || !plain(h.Path) {
		return fmt.Errorf("health: path %.80q: want one that begins with a slash", h.Path)
	}
	for name, d := range map[string]Duration{"interval": h.Interval, "timeout": h.Timeout, "alive": h.Alive} {
		if d < 0 || time.Duration(d) > maxHealth {
			return fmt.Errorf("health: %s %s: at most %s", name, time.Duration(d), maxHealth)
		}
	}
	if h.Failures < 0 || h.Failures > maxFailures {
		return fmt.Errorf("health: failures %d: at most %d", h.Failures, maxFailures)
	}
	return nil
}

// Route is where the public listeners serve a component, besides its name.
type Route struct {
	Host string `json:"host,omitempty"` // empty: any
	Path string `json:"path,omitempty"` // prefix, begins with a slash; empty: all
}

// Validate implements [Validator].
func (r *Route) Validate() error {
	switch {
	case r.Host == "" && r.Path == "":
		return errors.New("route: want a host or a path")
	case len(r.Host) > 253 || !plain(r.Host) || strings.ContainsAny(r.Host, "/:"):
		return fmt.Errorf("route: host %.80q: want a name without port", r.Host)
	case r.Path != "" && !strings.HasPrefix(r.Path, "/") || len(r.Path) > maxPath || !plain(r.Path) || strings.ContainsAny(r.Path, "?#"):
		return fmt.Errorf("route: path %.80q: want one that begins with a slash", r.Path)
	}
	return nil
}

// Source is who looks after a component: a manifest, a package, or nobody but those who
// push it. Another source does not take it over unasked.
type Source struct {
	Manifest Name   `json:"manifest,omitempty"`
	Version  uint64 `json:"version,omitempty"` // of the manifest, when this was last changed by it
	Package  Name   `json:"package,omitempty"` // as the package names itself; none where there is a manifest
}

// Validate implements [Validator].
func (s *Source) Validate() error {
	switch {
	case s.Manifest != "" && s.Package != "":
		return errors.New("source: a manifest and a package")
	case s.Manifest == "" && s.Version != 0:
		return errors.New("source: version without a manifest")
	}
	for what, n := range map[string]Name{"manifest": s.Manifest, "package": s.Package} {
		if n == "" {
			continue
		}
		if _, err := ParseName(string(n)); err != nil {
			return fmt.Errorf("source: %s: %w", what, err)
		}
	}
	return nil
}

func (s Source) String() string {
	switch {
	case s.Manifest != "":
		return "manifest " + string(s.Manifest)
	case s.Package != "":
		return "package " + string(s.Package)
	}
	return "push"
}
