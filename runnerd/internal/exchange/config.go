package exchange

import (
	"context"
	"net/http"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

// Config is what a web program is made of, however it is spoken to.
type Config struct {
	Module    *engine.Module // released when the program is closed; on an error it stays the caller's
	Name      api.Name
	Component *api.Component
	Mounts    []engine.Mount // they stay the caller's
	Sender    engine.Sender  // of the requests of a component; nil: they are denied
	Log       *logs.Log
	Account   program.Account
	// Linger keeps what the program uses until release is called, for instances that go on
	// after their responses; nil: nothing is to be kept.
	Linger func() (release func())
	// Root has the program see paths as they are sent: it is mounted nowhere.
	Root bool
}

// Mount is where the program is mounted: /NAME, or nowhere.
func (c *Config) Mount() string {
	if c.Root {
		return ""
	}
	return "/" + string(c.Name)
}

// MountOf is below which path clients see the program, as the gateway says that handed r
// on: under its name, or a route of its own. "": at the root.
func (c *Config) MountOf(r *http.Request) string {
	v, ok := r.Header[api.HeaderPrefix]
	if !ok || c.Root || v[0] != "" && !strings.HasPrefix(v[0], "/") {
		return c.Mount()
	}
	return v[0]
}

// Env is what each instance of the program finds around it, but for its streams.
func (c *Config) Env() engine.Env {
	return engine.Env{Args: append([]string{string(c.Name)}, c.Component.Args...), Mounts: c.Mounts, Sender: c.Sender,
		Fuel: c.Component.Module.Limits.Fuel, Used: c.Account.Used, Holds: c.Account.Holds}
}

// Try makes an instance, under the limits of a request. Errors: a [*program.RefusedError], or
// that of ctx.
func (c *Config) Try(ctx context.Context) error {
	limited, cancel := engine.WithDeadline(ctx, program.Deadline(c.Component.Module.Limits))
	defer cancel()
	i, err := c.Module.New(limited, c.Env())
	switch {
	case err == nil:
		i.Close()
		return nil
	case ctx.Err() != nil:
		return program.Advise(err)
	}
	return program.Refuse("no instance of it can be made: %v", program.Advise(err))
}

// Hold keeps the program usable until release is called, even if it is closed
// meanwhile. It must be called before Close.
func (c *Config) Hold() (release func()) {
	c.Module.Retain()
	return c.Module.Release
}

// Close releases the module; requests on their way go on.
func (c *Config) Close() { c.Module.Release() }
