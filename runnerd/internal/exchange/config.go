package exchange

import (
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

// Env is what each instance of the program finds around it, but for its streams.
func (c *Config) Env() engine.Env {
	return engine.Env{Args: append([]string{string(c.Name)}, c.Component.Args...), Mounts: c.Mounts, Sender: c.Sender,
		Fuel: c.Component.Module.Limits.Fuel, Used: c.Account.Used, Holds: c.Account.Holds}
}
