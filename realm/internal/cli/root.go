package cli

import (
	"fmt"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/internal/kit/buildinfo"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// defaultTimeout bounds commands that end by themselves.
const defaultTimeout = 2 * time.Minute

const (
	groupNode     = "node"
	groupOwner    = "owner"
	groupMesh     = "mesh"
	groupPrograms = "programs"
)

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "realm",
		Short: "Push a program once, and it runs on every machine you own",
		Long: `Realm joins your machines into a mesh. You sign what should run; every machine
checks the signature and does it. Without a command, realm is realm up.

Exit codes: 0 it is so; 1 it is not, and the error says what to do; 2 the
command line was wrong.`,
		Example: `  realm init                                              # once: make your key
  realm up                                                # bring up a node here
  realm invite                                            # let another machine join
  realm push --name ticker --file samples/build/ticker.wasm
  realm fn deploy --name double --wasm samples/build/double.wasm
  realm fn exec double 21`,
		Version:                    buildinfo.Version,
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: suggestDistance,
	}
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(misused)
	g := root.PersistentFlags()
	g.StringVar(&a.homeDir, "home", "", "folder of the node (default $"+paths.EnvHome+", else the platform's data folder)")
	g.StringVar(&a.nodeAddr, "node", "", "address of a member to ask instead, where no node is up on this machine")
	g.StringVar(&a.contextName, "context", "", "which of your realms, by its name in realm context (default $"+envContext+", else the one in use)")
	g.BoolVar(&a.json, "json", false, "print JSON")
	g.DurationVar(&a.timeout, "timeout", defaultTimeout, "give up after this long (up, run, logs and --watch: only if it is given; what moves blobs: when none has moved for so long)")
	g.StringVar(&a.passphraseFile, "passphrase-file", "", "file with the passphrase of your owner key (default: $"+envPassphrase+", else asked for)")
	g.StringVar(&a.grantFile, "grant", "", "file of your grant, where the node has not heard of it (default: $"+envGrant+")")
	up := newUp(a)
	root.Flags().AddFlagSet(up.Flags())
	root.RunE = up.RunE
	root.PersistentPreRunE = a.enter
	addCommands(a, root, up)
	for flag, complete := range map[string]cobra.CompletionFunc{"context": a.completeContexts, "node": cobra.NoFileCompletions} {
		if err := root.RegisterFlagCompletionFunc(flag, complete); err != nil {
			panic(err) // the flag is declared above
		}
	}
	return root
}

func addCommands(a *app, root, up *cobra.Command) {
	root.AddGroup(
		&cobra.Group{ID: groupNode, Title: "The node on this machine:"},
		&cobra.Group{ID: groupOwner, Title: "You, the owner:"},
		&cobra.Group{ID: groupMesh, Title: "The mesh:"},
		&cobra.Group{ID: groupPrograms, Title: "Programs:"})
	add := func(id string, cmds ...*cobra.Command) {
		for _, c := range cmds {
			c.GroupID = id
			root.AddCommand(c)
		}
	}
	add(groupNode, up, newDown(a), newPS(a), newConfigure(a), newEnroll(a), newReset(a))
	add(groupOwner, newInit(a), newKey(a), newWhoami(a), newGrant(a), newContext(a))
	add(groupMesh, newStatus(a), newPeers(a), newNode(a), newInvite(a), newClaim(a), newStorage(a), newVolume(a), newSecret(a), newPolicy(a))
	add(groupPrograms, newApply(a), newDiff(a), newPush(a), newDev(a), newPackage(a), newDeployPackage(a), newRun(a), newInspect(a), newStop(a), newStart(a), newRestart(a), newScale(a), newRemove(a), newExplain(a), newHistory(a), newRollback(a), newLogs(a), newFunctions(a), newJob(a))
	root.AddCommand(newVersion(a))
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Example = "  realm help push"
		case "completion":
			c.Example = "  source <(realm completion bash)"
			for _, shell := range c.Commands() {
				shell.Example = "  realm completion " + shell.Name()
			}
		}
	}
}

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this command",
		Example: "  realm version --json",
		Args:    arguments(),
		RunE: func(*cobra.Command, []string) error {
			v := struct {
				Version  string `json:"version"`
				Platform string `json:"platform"`
				Go       string `json:"go"`
			}{buildinfo.Version, runtime.GOOS + "/" + runtime.GOARCH, runtime.Version()}
			return a.print(v, func() { fmt.Fprintf(a.out, "realm version %s %s %s\n", v.Version, v.Platform, v.Go) })
		},
	}
}
