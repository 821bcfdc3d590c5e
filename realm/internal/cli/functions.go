package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
	"github.com/realm-mesh/realm/realm/internal/wasmfile"
)

func newFunctions(a *app) *cobra.Command {
	remove := a.newFunctionRemove()
	return group(&cobra.Command{
		Use:   "fn",
		Short: "Functions: deploy, list, exec, rm",
		Long: `A function is a Wasm module that exports one: the export named like the function,
else the only one there is. It takes and returns numbers, and any node can be asked.`,
		Example: `  realm fn deploy --name double --wasm double.wasm
  realm fn exec double 21`,
	}, newDeploy(a), newFunctionList(a), newExec(a), remove)
}

func newDeploy(a *app) *cobra.Command {
	var p programFlags
	var name, wasm string
	cmd := &cobra.Command{
		Use:   "deploy",
		Short: "Make a function callable on every node",
		Long:  "Sign a function, hand it to the node here, and wait until every connected node that it is for answers calls of it.",
		Example: `  realm fn deploy --name double --wasm samples/build/double.wasm
  realm fn deploy --name double --wasm https://example.org/double.wasm --epoch-ms 500`,
		Args: arguments(),
	}
	cmd.Flags().StringVar(&name, "name", "", "what to call it; where the module has several exports, the name of one")
	cmd.Flags().StringVar(&wasm, "wasm", "", "file or http(s) address of the module")
	p.declare(cmd.Flags())
	a.completeFlags(cmd)
	completeWasmFlag(cmd, "wasm")
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
		n, err := parseName(cmd, "name", name)
		if err != nil {
			return err
		}
		if wasm == "" {
			return misused(cmd, errors.New("--wasm is missing: name a .wasm file or its http(s) address"))
		}
		prog, err := p.build(cmd, api.Ref{Kind: api.KindFunction, Name: n}, wasm, func(m api.Program, about wasmfile.About) (api.Workload, error) {
			if about.Component {
				return nil, fmt.Errorf("%s is %s, and functions are core modules: realm push --name %s --file FILE runs components", wasm, about, n)
			}
			if err := about.Runnable(); err != nil {
				return nil, fmt.Errorf("%s is %w", wasm, err)
			}
			return &api.Function{Module: m, Stopped: !p.start}, nil
		}, func(file string) (wasmfile.Module, error) { return wasmfile.Get(ctx, http.DefaultClient, file) })
		if err != nil {
			return err
		}
		return a.push(ctx, *prog)
	})
	return cmd
}

func newExec(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "exec NAME [ARG]...",
		Short: "Call a function",
		Long: `Call a function on this node, or on one that has it where this one has not, and
print its result. Arguments are numbers; put -- before negative ones.`,
		Example: `  realm fn exec double 21
  realm fn exec double -- -4`,
		ValidArgsFunction: a.completeNames(api.KindFunction),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return misused(cmd, errors.New("NAME is missing"))
			}
			return nil
		},
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return misused(cmd, fmt.Errorf("%w; put -- before negative numbers: realm fn exec NAME -- -4", err))
	})
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		name, err := api.ParseName(args[0])
		if err != nil {
			return misused(cmd, err)
		}
		call := api.ExecRequest{Name: name, Args: jsonArgs(args[1:])}
		if err := call.Validate(); err != nil {
			return misused(cmd, err)
		}
		return a.onNode(ctx, func(n *node.Node) error {
			reply, err := n.Exec(ctx, call)
			if err != nil {
				return err
			}
			return a.print(reply, func() { fmt.Fprintln(a.out, resultText(reply.Result)) })
		})
	})
	return cmd
}

// jsonArgs makes a JSON number of each argument that is one, digit for digit, and
// a string of any other: the node knows which numbers those may be.
func jsonArgs(args []string) []json.RawMessage {
	out := []json.RawMessage{}
	for _, s := range args {
		var n json.Number
		raw := json.RawMessage(s)
		if json.Unmarshal(raw, &n) != nil || n.String() != s || s == "" {
			raw, _ = json.Marshal(s) // a string can always be encoded
		}
		out = append(out, raw)
	}
	return out
}

// resultText is a result as it came, strings ("NaN") without their quotes.
func resultText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil && len(raw) > 0 && raw[0] == '"' {
		return printable(s)
	}
	return string(raw)
}

func newFunctionList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List functions and where they answer",
		Long:  "List the functions of the realm and how each stands on the nodes that it is for.",
		Example: `  realm fn list
  realm fn list --json`,
		Args: arguments(),
		RunE: a.bounded(func(ctx context.Context, _ *cobra.Command, _ []string) error {
			return a.onNode(ctx, func(n *node.Node) error {
				all, err := workloads(ctx, n)
				if err != nil {
					return err
				}
				var fns []workloadView
				for _, w := range all {
					if w.Kind == api.KindFunction {
						fns = append(fns, w)
					}
				}
				v := struct {
					Functions []workloadView `json:"functions"`
				}{append([]workloadView{}, fns...)}
				return a.print(v, func() {
					if len(fns) == 0 {
						fmt.Fprintln(a.out, "No functions yet: realm fn deploy --name NAME --wasm FILE")
						return
					}
					a.printWorkloads(fns)
				})
			})
		}),
	}
}

func (a *app) newFunctionRemove() *cobra.Command {
	var f changeFlags
	cmd := &cobra.Command{
		Use:               "rm NAME",
		Short:             "Remove a function everywhere",
		Long:              "Sign that a function is gone, and wait until it is from every connected node that it was for.",
		Example:           "  realm fn rm double",
		Args:              arguments("NAME"),
		ValidArgsFunction: a.completeNames(api.KindFunction),
	}
	f.declare(cmd.Flags(), "return when the nodes have done it")
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		name, err := api.ParseName(args[0])
		if err != nil {
			return misused(cmd, err)
		}
		return a.onNode(ctx, func(n *node.Node) error {
			s, err := a.newSigner(ctx, n)
			if err != nil {
				return err
			}
			return a.change(ctx, n, s, api.Ref{Kind: api.KindFunction, Name: name}, owner.Remove(), f)
		})
	})
	return cmd
}
