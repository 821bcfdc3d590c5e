package function

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

// Invoke calls the export of that very name once, in an instance of its own. Errors are
// those of [Function.Call], and a [*program.RefusedError] where there is no such function.
func Invoke(ctx context.Context, m *engine.Module, export string, args []json.RawMessage, env engine.Env) (json.RawMessage, error) {
	sig, ok := m.Functions[export]
	if !ok {
		if len(m.Names) == 0 {
			return nil, program.Refuse("it exports no functions")
		}
		return nil, program.Refuse("it exports no function %.60q, but %s", export, list(m.Names))
	}
	if err := checkSignature(export, sig); err != nil {
		return nil, err
	}
	stack, err := encode(export, sig, args)
	if err != nil {
		return nil, err
	}
	i, err := m.New(ctx, env)
	if err != nil {
		return nil, fmt.Errorf("make an instance: %w", program.Advise(err))
	}
	defer i.Close()
	if err := i.Call(ctx, export, stack); err != nil {
		return nil, program.Advise(err)
	}
	return decode(sig, stack), nil
}
