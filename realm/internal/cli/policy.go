package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/policy"
)

func newPolicy(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "policy",
		Short: "What this machine lets jobs do",
		Long: `Show or change what jobs may do on this machine. It is the machine's own: nothing
that an owner signs changes it. Wasm jobs need no leave; native ones, and those under
an emulator, run only where the policy says so.`,
		Example: `  realm policy show
  realm policy set --allow-native=true`,
	}, newPolicyShow(a), newPolicySet(a))
}

// policyView is what realm policy says in JSON.
type policyView struct {
	AllowNative    policyValue `json:"allow_native_execution"`
	AllowEmulation policyValue `json:"allow_emulation"`
	Emulates       []string    `json:"emulates"` // architectures that the emulators on PATH are for
	File           string      `json:"file"`
}

// policyValue is a value, and where it comes from.
type policyValue struct {
	Value bool   `json:"value"`
	From  string `json:"from"` // file, default, or the name of a variable
}

func newPolicyShow(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show",
		Short: "What holds, and why",
		Long: `Show what holds on this machine: the environment before the file, and what is in
neither is not allowed. The environment is that of this command; a node that runs has
its own.`,
		Example: `  realm policy show`,
		Args:    arguments(),
	}
	cmd.RunE = a.bounded(func(_ context.Context, _ *cobra.Command, _ []string) error {
		h, err := a.home()
		if err != nil {
			return err
		}
		return a.showPolicy(h)
	})
	return cmd
}

func newPolicySet(a *app) *cobra.Command {
	var native, emulation bool
	cmd := &cobra.Command{
		Use:   "set",
		Short: "Allow or forbid native jobs and emulation here",
		Long: `Write the policy of this machine. A node that runs here follows it within a second,
and tells the others. Jobs that run already go on.`,
		Example: `  realm policy set --allow-native=true
  realm policy set --allow-native=false --allow-emulation=false`,
		Args: arguments(),
	}
	cmd.Flags().BoolVar(&native, "allow-native", false, "execute programs of this machine's platform, confined")
	cmd.Flags().BoolVar(&emulation, "allow-emulation", false, "execute programs of other processors under qemu, confined")
	cmd.RunE = a.bounded(func(_ context.Context, cmd *cobra.Command, _ []string) error {
		f := cmd.Flags()
		if !f.Changed("allow-native") && !f.Changed("allow-emulation") {
			return misused(cmd, errors.New("say --allow-native or --allow-emulation, true or false"))
		}
		h, err := a.home()
		if err != nil {
			return err
		}
		p, err := policy.ReadFile(h.Policy())
		if err != nil {
			return err
		}
		if f.Changed("allow-native") {
			p.AllowNative = native
		}
		if f.Changed("allow-emulation") {
			p.AllowEmulation = emulation
		}
		if err := h.Create(); err != nil {
			return err
		}
		if err := policy.Write(h.Policy(), p); err != nil {
			return err
		}
		return a.showPolicy(h)
	})
	return cmd
}

func (a *app) showPolicy(h paths.Home) error {
	holds, err := policy.Read(h.Policy())
	if err != nil {
		return err
	}
	from := func(variable string, inFile bool) string {
		switch {
		case os.Getenv(variable) != "":
			return variable
		case inFile:
			return "file"
		}
		return "default"
	}
	_, err = os.Stat(h.Policy())
	view := policyView{
		AllowNative:    policyValue{holds.AllowNative, from(policy.EnvNative, err == nil)},
		AllowEmulation: policyValue{holds.AllowEmulation, from(policy.EnvEmulation, err == nil)},
		Emulates:       policy.Policy{AllowEmulation: true}.Powers().Emulates, File: h.Policy(),
	}
	return a.print(view, func() {
		table(a.out, [][]string{
			{"native execution", allowed(view.AllowNative.Value), "by " + view.AllowNative.From},
			{"emulation", allowed(view.AllowEmulation.Value), "by " + view.AllowEmulation.From},
		})
		fmt.Fprintf(a.out, "\nEmulators on PATH: %s\nFile: %s\n", orElse(strings.Join(view.Emulates, ", "), "none (qemu-user-static has them)"), view.File)
	})
}

func allowed(yes bool) string {
	if yes {
		return "allowed"
	}
	return "forbidden"
}
