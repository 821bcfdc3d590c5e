package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/launcher"
)

// runFlags are those of realm run.
type runFlags struct {
	programFlags
	componentFlags
	invoke string
	serve  string
	stats  bool
}

func newRun(a *app) *cobra.Command {
	f := &runFlags{}
	cmd := &cobra.Command{
		Use:   "run FILE [ARG]...",
		Short: "Run a program here and now, without a node",
		Long: `Run a WebAssembly program on this machine, in the sandbox and under the limits
that it has on a node. Its standard streams are those of the command, and so is
its exit code. It sees no files but those that are mounted. What follows FILE is
the program's own. It goes on until it ends, unless --epoch-ms or --timeout is given.

With --serve it is a web program, by wasi:http or as CGI, and answers HTTP at that
address until Ctrl-C: each request has a fresh instance, and the same limits and
errors as on a node.`,
		Example: `  realm run samples/build/ticker.wasm
  realm run --epoch-ms 3000 samples/build/ticker.wasm
  realm run --invoke double samples/build/double.wasm 21
  realm run --serve 127.0.0.1:8080 samples/build/hello-http.wasm
  realm run --fuel 1000000 --memory-max-mb 64 --stats tool.wasm --verbose
  realm run --mount host=.,guest=/data,ro --env LANG=C tool.wasm /data/list`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return misused(cmd, errors.New("FILE is missing"))
			}
			return nil
		},
		RunE: a.open(func(ctx context.Context, cmd *cobra.Command, args []string) error {
			spec, err := f.spec(args)
			if err != nil {
				return misused(cmd, err)
			}
			return a.start(ctx, spec)
		}),
	}
	f.declare(cmd.Flags())
	return cmd
}

func (f *runFlags) declare(flags *pflag.FlagSet) {
	f.declareLimits(flags)
	flags.StringArrayVar(&f.env, "env", nil, "NAME=VALUE in its environment; may be repeated")
	flags.StringArrayVar(&f.mounts, "mount", nil, "host=FOLDER,guest=FOLDER[,ro]: a folder of this machine that it sees; may be repeated")
	flags.StringVar(&f.invoke, "invoke", "", "call this export with the arguments, which are numbers, and print its result")
	flags.StringVar(&f.serve, "serve", "", "ADDR:PORT where it answers HTTP, such as 127.0.0.1:8080, until Ctrl-C: by wasi:http, or as CGI")
	flags.StringArrayVar(&f.hosts, "allow-host", nil, "[SCHEME://]HOST[:PORT] that it may send requests to, where it is a component; may be repeated")
	flags.BoolVar(&f.stats, "stats", false, "say in the end, on stderr, what it has used")
	flags.SetInterspersed(false) // what follows FILE is the program's
}

func (f *runFlags) spec(args []string) (*api.RunSpec, error) {
	limits, err := f.limits()
	if err != nil {
		return nil, err
	}
	var c api.Component
	if err := f.parseEnv(&c); err != nil {
		return nil, err
	}
	for _, s := range f.mounts {
		m, err := parseMount(s)
		if err == nil && m.Kind != api.MountHost {
			err = errors.New("realm run has folders of this machine alone: host=FOLDER,guest=FOLDER[,ro]")
		}
		if err == nil {
			m.Host, err = filepath.Abs(m.Host)
		}
		if err != nil {
			return nil, fmt.Errorf("--mount %.200q: %w", s, err)
		}
		c.Mounts = append(c.Mounts, m.Mount)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("find a folder for machine code: %w", err)
	}
	spec := &api.RunSpec{File: args[0], Cache: filepath.Join(cache, "realm", "compiled"), Args: args[1:], Env: c.Env, Mounts: c.Mounts,
		Limits: limits, Invoke: f.invoke, Stats: f.stats, Serve: f.serve, AllowHosts: f.hosts}
	return spec, spec.Validate()
}

// stopPatience is how long a program has to end when it was told to, beside what requests
// on their way get. It has ended long before, unless this system cannot tell it.
const stopPatience = 2 * time.Second

// start has runnerd, in a process of its own, run a program, and waits for it. Ctrl-C
// reaches both.
func (a *app) start(ctx context.Context, spec *api.RunSpec) error {
	path, err := launcher.Find(api.Runnerd)
	if err != nil {
		return err
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	if len(text) > api.MaxRunSpec {
		return fmt.Errorf("run %s: its arguments and environment are larger than %d KiB: give it a file by --mount", spec.File, api.MaxRunSpec>>10)
	}
	child := exec.CommandContext(ctx, path, api.RunCommand)
	child.Env = append(os.Environ(), api.EnvRun+"="+string(text))
	child.Stdin, child.Stdout, child.Stderr = a.in, a.out, a.err
	child.WaitDelay = stopPatience
	if spec.Serve != "" {
		child.WaitDelay += api.ServePatience
	}
	child.Cancel = func() error { return child.Process.Signal(os.Interrupt) }
	err = a.attend(child)
	if spec.Serve != "" && errors.Is(context.Cause(ctx), errInterrupted) && child.ProcessState != nil && child.ProcessState.Success() {
		return nil // that is how serving ends
	}
	if err != nil {
		return fmt.Errorf("run %s: %w", spec.File, err)
	}
	return nil
}

// attend runs child; the second Ctrl-C kills it.
func (a *app) attend(child *exec.Cmd) error {
	if err := child.Start(); err != nil {
		return err
	}
	a.hearsKill.Store(true)
	over := make(chan struct{})
	defer close(over)
	go func() {
		select {
		case <-a.kill:
			_ = child.Process.Kill() // it may have ended
		case <-over:
		}
	}()
	return child.Wait()
}
