package cli

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
)

const manual = "../../../docs/CLI.md"

func readManual(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The manual lists each command that does something, and no other.
func TestManualListsEveryCommand(t *testing.T) {
	var there []string
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		switch {
		case c.Hidden || c.Name() == agentCommand:
			return
		case c.Parent() != nil && c.Parent().Name() == "completion": // one for each shell
			return
		case c.Parent() != nil && !isGroup(c):
			there = append(there, c.CommandPath())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(&app{}))
	var told []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(realm [a-z -]+)`").FindAllStringSubmatch(readManual(t), -1) {
		told = append(told, m[1])
	}
	slices.Sort(there)
	slices.Sort(told)
	for _, c := range there {
		if !slices.Contains(told, c) {
			t.Errorf("%s does not list %s", manual, c)
		}
	}
	for i, c := range told {
		if !slices.Contains(there, c) || i > 0 && told[i-1] == c {
			t.Errorf("%s lists %s, which is no command, or more than once", manual, c)
		}
	}
}

// isGroup reports whether c only holds other commands.
func isGroup(c *cobra.Command) bool { return c.HasSubCommands() && c.FParseErrWhitelist.UnknownFlags }

func TestManualTellsExitCodesAndStates(t *testing.T) {
	text := readManual(t)
	for _, code := range []int{ExitOK, ExitFailed, ExitUsage, ExitChanges} {
		if !strings.Contains(text, fmt.Sprintf("\n| %d | ", code)) {
			t.Errorf("%s does not tell of exit code %d", manual, code)
		}
	}
	_, states, _ := strings.Cut(text, "### States")
	for _, s := range []api.State{api.StatePending, api.StateFetching, api.StateCompiling, api.StatePrepared, api.StateStarting, api.StateRunning,
		api.StateUnhealthy, api.StateExited, api.StateBackoff, api.StateFailed, api.StateRefused, api.StateStopped, api.StateRemoved} {
		if !strings.Contains(states, "`"+string(s)+"`") {
			t.Errorf("%s does not tell of the state %s", manual, s)
		}
	}
}

// What is printed as JSON is in the manual, field by field, and which may be left out.
func TestManualTellsFields(t *testing.T) {
	text := readManual(t)
	section := func(title string) string {
		_, rest, ok := strings.Cut(text, "\n### "+title+"\n")
		if !ok {
			t.Fatalf("%s has no section %s", manual, title)
		}
		part, _, _ := strings.Cut(rest, "\n### ")
		return part
	}
	for title, views := range map[string][]any{
		"Results":         {resultView{}, memberView{}},
		"Status":          {statusView{}, nodeView{}, loadView{}, workloadView{}},
		"Explain":         {explainView{}, whereView{}},
		"Nodes":           {nodeSettingsView{}, leftView{}},
		"Storage":         {putView{}, pinView{}, blobsView{}, blobView{}, reference{}, detailView{}, api.StorageStatus{}, verifyView{}, transfersView{}, transferView{}, sourceView{}},
		"Copies":          {copiesView{}},
		"Secrets in JSON": {setView{}, secretView{}},
		"Volumes in JSON": {volumesView{}, copyView{}, inspectedVolume{}, exportView{}, decidedView{}, api.VolumeFile{}},
		"Logs":            {lineView{}},
		"Jobs in JSON":    {validView{}, submittedView{}, endedView{}, artifactView{}, downloadedView{}, api.JobSummary{}, api.JobCounts{}},

		"Inspecting a program": {inspectView{}, interfaceView{}},
	} {
		words := section(title)
		for _, v := range views {
			for _, f := range fields(reflect.TypeOf(v)) {
				if !regexp.MustCompile(`\b` + f + `\b`).MatchString(words) {
					t.Errorf("%s, %s: nothing of the field %s of %T", manual, title, f, v)
				}
			}
		}
	}
}

// fields are the names in JSON of what a struct is printed with.
func fields(of reflect.Type) (out []string) {
	for i := range of.NumField() {
		f := of.Field(i)
		if f.Anonymous {
			out = append(out, fields(f.Type)...)
			continue
		}
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			out = append(out, name)
		}
	}
	return out
}
