package engine

import (
	"context"
	"crypto/rand"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental/sysfs"
	"github.com/tetratelabs/wazero/sys"
)

const (
	// stopGrace is how long a guest may go on after its context has ended before
	// it counts as a runaway.
	stopGrace = time.Second
	// maxRunaways is how many runaways of one module keep it from being started again.
	maxRunaways = 2
)

// baseConfig is what wazero gives to all instances.
func baseConfig() wazero.ModuleConfig {
	return wazero.NewModuleConfig().
		WithName(""). // many instances side by side
		WithStartFunctions().
		WithSysWalltime().
		WithSysNanotime().
		WithRandSource(rand.Reader) // else each instance seeds one, although none uses it: see randomGet
}

// config is what wazero gives to an instance.
func (i *Instance) config(env *Env) wazero.ModuleConfig {
	c := i.module.config.WithNanosleep(i.sleep.nanosleep)
	if len(env.Args) > 0 {
		c = c.WithArgs(env.Args...)
	}
	for _, v := range env.Vars {
		c = c.WithEnv(v.Name, v.Value)
	}
	if env.Stdin != nil {
		c = c.WithStdin(&reader{env.Stdin, &i.work})
	}
	if env.Stdout != nil {
		c = c.WithStdout(&writer{env.Stdout, &i.work})
	}
	if env.Stderr != nil {
		c = c.WithStderr(&writer{env.Stderr, &i.work})
	}
	if len(env.Mounts) > 0 {
		fs := wazero.NewFSConfig()
		for n, m := range env.Mounts {
			fs = fs.(sysfs.FSConfig).WithSysFSMount(i.views[n], m.Guest) //nolint:forcetypeassert // as wazero documents it
		}
		c = c.WithFSConfig(fs)
	}
	return c
}

// sleeper lets a guest sleep no longer than the context of its current call.
type sleeper struct {
	done atomic.Pointer[<-chan struct{}]
	turn *turn
}

// until binds the sleeps that follow to ctx.
func (s *sleeper) until(ctx context.Context) {
	done := ctx.Done()
	s.done.Store(&done)
}

// nanosleep returns after ns nanoseconds. When the context ends before, it ends the
// guest, in the way in which wazero's own proc_exit does. What sleeps holds no thread.
func (s *sleeper) nanosleep(ns int64) {
	s.turn.release()
	s.turn.watch.stop()
	defer s.turn.watch.start()
	t := time.NewTimer(time.Duration(ns))
	defer t.Stop()
	select {
	case <-t.C:
	case <-*s.done.Load():
		panic(sys.NewExitError(sys.ExitCodeContextCanceled))
	}
}
