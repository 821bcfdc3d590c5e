package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/realm-mesh/realm/api"
)

// componentFlags describe what is a component's alone: how it is spoken to, how many
// there are, what they see of the host, and how one version follows another.
type componentFlags struct {
	http, visibility, route string
	env, args, secrets      []string
	replicas                replicas
	mounts, ports, hosts    []string
	folders                 []string // of the mounts, on this machine; "": it has none
	healthPath              string
	order, maxUnavailable   string
	deadline                time.Duration
	restart                 string
	takeOver                bool
}

func (c *componentFlags) declare(f *pflag.FlagSet) {
	f.StringVar(&c.http, "http", "", "how it answers HTTP: wasi (wasi:http), cgi, or none for a command (default: what the file is)")
	f.StringArrayVar(&c.env, "env", nil, "NAME=VALUE in its environment; may be repeated")
	f.StringArrayVar(&c.args, "arg", nil, "argument after the program's name; may be repeated")
	f.StringArrayVar(&c.secrets, "secret", nil, "NAME[=env:VARIABLE|=file:PATH] that it is given, in memory (default: file:/run/secrets/NAME); may be repeated")
	f.Var(&c.replicas, "replicas", "on how many nodes it runs, of those that it is for")
	f.StringArrayVar(&c.mounts, "mount", nil, mountUsage)
	f.StringVar(&c.healthPath, "health-path", "", "path of a web program that answers 200 to 399 while it is well; a version that does not is never ready")
	f.StringVar(&c.order, "order", "start-first", "which version goes first on a node: start-first (the old one ends when the new one is ready) or stop-first (never two at once)")
	f.StringVar(&c.maxUnavailable, "max-unavailable", string(api.DefaultMaxUnavailable), "how many nodes change to a new version at once, as a number or as a share of all")
	f.DurationVar(&c.deadline, "update-deadline", api.DefaultUpdateDeadline, "how long a new version may take to be ready before it counts as failed")
	f.StringVar(&c.restart, "restart", "on-failure", "what follows when a command has ended: on-failure, always or never")
	f.BoolVar(&c.takeOver, "take-over", false, "push it although a manifest looks after it, which it leaves by that")
	f.StringArrayVar(&c.ports, "port", nil, "NAME=:PORT[/PROTOCOL] that it listens on; may be repeated; "+notYet)
	f.StringVar(&c.visibility, "visibility", "local", "who may reach it: local, or public: all who reach a member with the role edge")
	f.StringArrayVar(&c.hosts, "allow-host", nil, "[SCHEME://]HOST[:PORT] that it may send requests to, where it is a component; *.NAME is all below NAME; may be repeated")
	f.StringVar(&c.route, "route", "", "[HOST][/PATH] under which members with the role edge serve it, if it is public, besides its name")
}

// httpNone is the value of --http that keeps a web program a command.
const httpNone = "none"

// notYet says of a flag that nodes only keep what it says.
const notYet = "kept, and not acted on by this version"

// component is what the flags say, without the program.
func (c *componentFlags) component() (*api.Component, error) {
	asked := api.Interface(c.http)
	if c.http == httpNone {
		asked = api.InterfaceCommand
	} else if err := asked.Validate(); err != nil {
		return nil, fmt.Errorf("--http %.40q: want wasi, cgi or none", c.http)
	}
	out := &api.Component{Interface: asked, Args: c.args, Replicas: int(c.replicas), AllowHosts: c.hosts}
	for _, parse := range []func(*api.Component) error{c.parseEnv, c.parseSecrets, c.parseMounts, c.parsePorts, c.parseWords, c.parseUpdate, c.parseRoute} {
		if err := parse(out); err != nil {
			return nil, err
		}
	}
	if err := api.ValidateAllowHosts(c.hosts); err != nil {
		return nil, err
	}
	if c.healthPath != "" {
		out.Health = &api.Health{Path: c.healthPath}
	}
	return out, nil
}

func (c *componentFlags) parseEnv(out *api.Component) (err error) {
	out.Env, err = parseEnv(c.env)
	return err
}

// secretsFolder is where programs find secrets of which nothing else is said.
const secretsFolder = "/run/secrets/"

func (c *componentFlags) parseSecrets(out *api.Component) error {
	for _, s := range c.secrets {
		name, as, said := strings.Cut(s, "=")
		u := api.SecretUse{Name: api.Name(name)}
		kind, where, ok := strings.Cut(as, ":")
		switch {
		case !said:
			u.File = secretsFolder + name
		case ok && kind == "env":
			u.Env = where
		case ok && kind == "file":
			u.File = where
		default:
			return fmt.Errorf("--secret %.80q: want NAME, NAME=env:VARIABLE or NAME=file:PATH", s)
		}
		if err := u.Validate(); err != nil {
			return fmt.Errorf("--secret %.80q: %w", s, err)
		}
		out.Secrets = append(out.Secrets, u)
	}
	return nil
}

func (c *componentFlags) parsePorts(out *api.Component) error {
	for _, s := range c.ports {
		name, rest, ok := strings.Cut(s, "=:")
		number, protocol, _ := strings.Cut(rest, "/")
		port, err := strconv.Atoi(number)
		if !ok || err != nil {
			return fmt.Errorf("--port %.80q: want NAME=:PORT, and /udp or /http where it is not tcp", s)
		}
		out.Ports = append(out.Ports, api.Port{Name: api.Name(name), Port: port, Protocol: protocol})
	}
	return nil
}

// parseWords reads flags that are one of a few words, in any case.
func (c *componentFlags) parseWords(out *api.Component) error {
	switch v := strings.ToLower(c.visibility); v {
	case "local", "":
	case string(api.VisibilityPublic):
		out.Visibility = api.VisibilityPublic
	default:
		return fmt.Errorf("--visibility %.40q: want local or public", c.visibility)
	}
	switch p := api.RestartPolicy(strings.ToLower(c.restart)); p {
	case "on-failure", api.RestartOnFailure:
	case api.RestartAlways, api.RestartNever:
		out.Restart = p
	default:
		return fmt.Errorf("--restart %.40q: want on-failure, always or never", c.restart)
	}
	return nil
}

// parseUpdate reads how a version follows another; nothing where that is as usual.
func (c *componentFlags) parseUpdate(out *api.Component) error {
	var u api.Update
	switch o := api.Order(strings.ToLower(c.order)); o {
	case "start-first", api.StartFirst:
	case api.StopFirst:
		u.Order = o
	default:
		return fmt.Errorf("--order %.40q: want start-first or stop-first", c.order)
	}
	if s := api.Share(c.maxUnavailable); s != api.DefaultMaxUnavailable {
		u.MaxUnavailable = s
	}
	if c.deadline <= 0 {
		return errors.New("--update-deadline: want a time, such as 30s")
	}
	if c.deadline != api.DefaultUpdateDeadline {
		u.Deadline = api.Duration(c.deadline)
	}
	if u != (api.Update{}) {
		out.Update = &u
	}
	return u.Validate()
}

func (c *componentFlags) parseRoute(out *api.Component) error {
	if c.route == "" {
		return nil
	}
	host, path, ok := strings.Cut(c.route, "/")
	r := api.Route{Host: host}
	if ok {
		r.Path = "/" + path
	}
	out.Route = &r
	return r.Validate()
}

// doubts says, a line each, what of a component nodes keep but do not act on, or may do
// otherwise than was meant.
func doubts(c *api.Component) (out []string) {
	add := func(is bool, text string) {
		if is {
			out = append(out, text)
		}
	}
	add(c.Visibility == api.VisibilityPublic && c.Interface == api.InterfaceCommand, "visibility public is kept, and of no use: a command does not answer HTTP; say --http cgi or wasi if it does")
	add(len(c.Ports) > 0, "ports are kept, and not opened: programs of Wasm cannot listen, services can (realm job submit)")
	add(len(c.Volumes()) > 0 && c.Replicas == 0, "it runs on every member, and each has a volume of its own: with --replicas 1 there is one for all its callers")
	add(c.Route != nil && c.Visibility != api.VisibilityPublic, "route is kept, and of no use: it is for programs whose visibility is public")
	return out
}
