package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
	"github.com/realm-mesh/realm/realm/internal/wasmfile"
)

func newFunctions(a *app) *cobra.Command {
	remove := a.newFunctionRemove()
	return group(&cobra.Command{
		Use:   "fn",
		Short: "Functions: deploy, list, exec, rm",
		Long: `A function is a Wasm module that exports one, which takes and returns numbers: the
export named like the function, else the only one there is. Or it is a command, core
module or component, of text: what it is called with is its standard input, and what
it writes to its standard output the result. Any node can be asked.`,
		Example: `  realm fn deploy --name double --wasm double.wasm
  realm fn exec double 21
  realm fn deploy --name shout --wasm shout.wasm
  realm fn exec shout "hello there"`,
	}, newDeploy(a), newFunctionList(a), newExec(a), remove)
}

func newDeploy(a *app) *cobra.Command {
	var p programFlags
	var name string
	var from sourceFlags
	cmd := &cobra.Command{
		Use:   "deploy",
		Short: "Make a function callable on every node",
		Long:  "Sign a function, hand it to the node here, and wait until every connected node that it is for answers calls of it.",
		Example: `  realm fn deploy --name double --wasm samples/build/double.wasm
  realm fn deploy --name double --wasm https://example.org/double.wasm --epoch-ms 500
  realm fn deploy --name double --wasm oci://ghcr.io/acme/double:1.0
  realm fn deploy --name double --wasm http://build.example.org/double.wasm --sha256 $SUM`,
		Args: arguments(),
	}
	cmd.Flags().StringVar(&name, "name", "", "what to call it; where the module has several exports, the name of one")
	from.declare(cmd.Flags(), "wasm")
	p.declare(cmd.Flags())
	a.completeFlags(cmd)
	completeWasmFlag(cmd, "wasm")
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
		n, err := parseName(cmd, "name", name)
		if err != nil {
			return err
		}
		if err := from.check(cmd); err != nil {
			return err
		}
		wasm := from.text
		prog, err := p.build(cmd, api.Ref{Kind: api.KindFunction, Name: n}, wasm, func(m api.Program, about wasmfile.About) (api.Workload, error) {
			if err := about.Runnable(); err != nil {
				return nil, fmt.Errorf("%s is %w", wasm, err)
			}
			if about.Component && about.Kind() != wasmfile.KindCommand {
				return nil, fmt.Errorf("%s is %s, and functions are commands, or core modules: realm push --name %s --file FILE runs web programs", wasm, about, n)
			}
			return &api.Function{Module: m, Stopped: !p.start}, nil
		}, from.load(ctx, a))
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
print its result. Arguments are numbers, or a text; "-" is what standard input has.
Put -- before negative numbers. On a terminal, a result is shown without its control
characters; elsewhere as it is.`,
		Example: `  realm fn exec double 21
  realm fn exec double -- -4
  realm fn exec shout "hello there"
  realm fn exec shout - < letter.txt`,
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
		given, err := a.withStdin(args[1:])
		if err != nil {
			return err
		}
		call := api.ExecRequest{Name: name, Args: jsonArgs(given)}
		if err := call.Validate(); err != nil {
			return misused(cmd, err)
		}
		return a.onNode(ctx, func(n *node.Node) error {
			reply, err := n.Exec(ctx, call)
			if err != nil {
				a.lastWords(err)
				return err
			}
			return a.print(reply, func() { fmt.Fprint(a.out, resultText(reply.Result, a.toTerminal())) })
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

// lastWords prints what a program that failed has said about it.
func (a *app) lastWords(err error) {
	var refused *local.StatusError
	if !errors.As(err, &refused) {
		return
	}
	for _, l := range refused.Tail {
		a.note("%s", printable(l))
	}
}

// withStdin puts what standard input has in the place of the argument "-".
func (a *app) withStdin(args []string) ([]string, error) {
	out := slices.Clone(args)
	if at := slices.Index(args, stdio); at >= 0 {
		text, err := a.stdinText()
		if err != nil {
			return nil, err
		}
		out[at] = text
	}
	for i, s := range out {
		if !utf8.ValidString(s) {
			return nil, fmt.Errorf("argument %d is no UTF-8, and functions are called with text: give bytes as text, such as base64", i+1)
		}
	}
	return out, nil
}

// stdinText reads standard input to its end.
func (a *app) stdinText() (string, error) {
	if a.in == nil {
		return "", errors.New("there is no standard input to read for -")
	}
	b, err := api.ReadAll(a.in, api.MaxText)
	if errors.Is(err, api.ErrTooLarge) {
		return "", fmt.Errorf("standard input holds more than %d KiB, the most that a function is called with: push a web program with realm push, which is sent as much as there is", api.MaxText>>10)
	}
	if err != nil {
		return "", fmt.Errorf("read standard input: %w", err)
	}
	return string(b), nil
}

// toTerminal reports whether people see what is printed.
func (a *app) toTerminal() bool {
	f, ok := a.out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// resultText is a result as it came, strings without their quotes, with a line feed at its
// end. What a program wrote cannot steer a terminal.
func resultText(raw json.RawMessage, terminal bool) string {
	text := string(raw)
	var s string
	if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil {
		text = s
	}
	if terminal {
		lines := strings.Split(text, "\n")
		for i, l := range lines {
			lines[i] = printable(l)
		}
		text = strings.Join(lines, "\n")
	}
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
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
