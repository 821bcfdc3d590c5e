package function

import (
	"context"
	"encoding/json"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/engine/meter"
	"github.com/realm-mesh/realm/engine/pool"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

// Function is a program ready to be called. It is safe for use by several goroutines.
type Function struct {
	module   *engine.Module
	export   string // called with numbers; "": it is a command, called with text
	sig      meter.Signature
	args     []string // of the program
	deadline time.Duration
	fuel     uint64
	log      *logs.Log
	pool     *pool.Pool[*guest] // nil for a command
	account  program.Account
}

// New makes a function of a program, which it releases when it is closed; on an
// error the module stays the caller's. One instance is made, to see that it can
// be. account is told what each instance uses. Errors: a
// [*program.RefusedError], or that of ctx.
func New(ctx context.Context, m *engine.Module, name api.Name, l api.Limits, log *logs.Log, account program.Account) (*Function, error) {
	export, err := choose(m.Shape, name)
	if err != nil {
		return nil, err
	}
	f := &Function{module: m, export: export, args: []string{string(name)}, deadline: program.Deadline(l), fuel: l.Fuel, log: log, account: account}
	if export != "" {
		f.sig = m.Functions[export]
		f.pool = pool.New(pool.Config[*guest]{Make: f.instantiate, Close: (*guest).close, Most: poolMost, AtOnce: poolMakes})
	}
	g, err := f.instantiate(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, program.Refuse("no instance of it can be made: %v", err)
	}
	g.close() // thousands may come at once, and most are not called soon
	return f, nil
}

// Export is what is called, for people: the name and type of an export, or "a command".
func (f *Function) Export() string {
	if f.export == "" {
		return "a command"
	}
	return f.export + f.sig.String()
}

// instantiate makes an instance within the deadline of a call.
func (f *Function) instantiate(ctx context.Context) (*guest, error) {
	ctx, cancel := engine.WithDeadline(ctx, f.deadline)
	defer cancel()
	out, complaints := f.log.Writer(logs.Stdout), f.log.Writer(logs.Stderr)
	flush := func() { out.Flush(); complaints.Flush() }
	i, err := f.module.New(ctx, engine.Env{Args: f.args, Stdout: out, Stderr: complaints, Fuel: f.fuel,
		Used: f.account.Used, Holds: f.account.Holds})
	if err != nil {
		flush()
		return nil, program.Advise(err)
	}
	return &guest{i, flush}, nil
}

// Call calls the function once. Errors: [*ArgumentError], those of [engine.Module.Run],
// which a [*FailedError] may wrap, [*OutputError], or the cause of ctx.
func (f *Function) Call(ctx context.Context, args []json.RawMessage) (json.RawMessage, error) {
	if f.export == "" {
		return f.callText(ctx, args)
	}
	return f.callNumbers(ctx, args)
}

func (f *Function) callNumbers(ctx context.Context, args []json.RawMessage) (json.RawMessage, error) {
	stack, err := encode(f.export, f.sig, args)
	if err != nil {
		return nil, err
	}
	ctx, cancel := engine.WithDeadline(ctx, f.deadline)
	defer cancel()
	g, done, err := f.pool.Lease(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := g.Call(ctx, f.export, stack); err != nil {
		return nil, program.Advise(err)
	}
	return decode(f.sig, stack), nil
}

// Hold keeps the function callable until release is called, even if it is closed
// meanwhile. It must be called before Close.
func (f *Function) Hold() (release func()) {
	f.module.Retain()
	return f.module.Release
}

// Close frees what is ready and releases the module; calls on their way go on.
func (f *Function) Close() {
	if f.pool != nil {
		f.pool.Close()
	}
	f.module.Release()
}
