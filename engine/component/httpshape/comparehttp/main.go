// Command comparehttp compares what two hosts of wasi:http components answer.
//
//	comparehttp --components DIR,… --subject-command "realm run --serve {addr} {file}"
//	comparehttp --components DIR,… --reference-command "jco serve …" --record golden.json
//
// Without a reference, the subject is held to the recorded outcomes. It ends
// with status 1 if there are differences.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/realm-mesh/realm/engine/component/httpshape"
)

type config struct {
	components []string // folders
	only       *regexp.Regexp
	verbose    bool
	record     string
	subject    host
	reference  host
}

// host says how a host is reached: an address, at which one component is served, or a command.
type host struct {
	addr    string
	command string
}

func (h host) given() bool { return h.addr != "" || h.command != "" }

func main() { os.Exit(status(os.Args[1:])) }

func status(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, args, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "comparehttp:", err)
		return 1
	}
	return 0
}

func parse(args []string) (*config, error) {
	var c config
	flags := flag.NewFlagSet("comparehttp", flag.ContinueOnError)
	dirs := flags.String("components", "component/testdata,../samples/build", "folders with the components, separated by commas")
	only := flags.String("only", "", "only shapes whose component and name match")
	flags.StringVar(&c.subject.addr, "subject", "", "address of the subject; name its component with --only")
	flags.StringVar(&c.subject.command, "subject-command", "", "starts the subject; {addr}, {host}, {port}, {file}, {upstream} are filled in")
	flags.StringVar(&c.reference.addr, "reference", "", "address of the reference")
	flags.StringVar(&c.reference.command, "reference-command", "", "starts the reference")
	flags.StringVar(&c.record, "record", "", "write the reference's outcomes to this file")
	flags.BoolVar(&c.verbose, "v", false, "show what servers print")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	c.components = strings.Split(*dirs, ",")
	var err error
	c.only, err = regexp.Compile(*only)
	return &c, err
}

func run(ctx context.Context, args []string, out io.Writer) error {
	c, err := parse(args)
	if err != nil {
		return err
	}
	upstream, err := httpshape.StartUpstream(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = upstream.Close() }()

	reference, err := httpshape.Golden()
	if c.reference.given() && err == nil {
		reference, err = c.observe(ctx, c.reference, upstream.Addr, out)
	}
	if err == nil && c.record != "" {
		err = write(c.record, reference)
	}
	if err != nil || !c.subject.given() {
		return err
	}
	subject, err := c.observe(ctx, c.subject, upstream.Addr, out)
	if err != nil {
		return err
	}
	return report(out, subject, httpshape.Compare(subject, reference))
}

func report(out io.Writer, subject []httpshape.Recorded, differences []httpshape.Difference) error {
	for i := range differences {
		fmt.Fprintln(out, differences[i].String())
	}
	fmt.Fprintf(out, "%d shapes, %d differences\n", len(subject), len(differences))
	if len(differences) > 0 {
		return errors.New("the subject does not do what it should")
	}
	return nil
}

// observe has a host answer all shapes whose components are here.
func (c *config) observe(ctx context.Context, h host, upstream string, out io.Writer) ([]httpshape.Recorded, error) {
	var all []httpshape.Recorded
	for _, group := range byComponent(httpshape.Shapes(), c.only) {
		name := group[0].Component
		file := c.find(name)
		if file == "" && c.record != "" {
			return nil, fmt.Errorf("%s.wasm is not here: what is recorded would not be whole", name)
		}
		if file == "" {
			fmt.Fprintf(out, "%s.wasm is not here: %d shapes are left out\n", name, len(group))
			continue
		}
		server := c.server(h, file, upstream)
		some, err := httpshape.Run(ctx, server, upstream, group)
		if err := errors.Join(err, server.Close()); err != nil {
			return nil, fmt.Errorf("serve %s: %w", file, err)
		}
		all = append(all, some...)
	}
	return all, nil
}

func (c *config) server(h host, file, upstream string) httpshape.Server {
	if h.addr != "" {
		return httpshape.Fixed(h.addr)
	}
	s := &httpshape.Command{Args: strings.Fields(h.command), File: file, Upstream: upstream}
	if c.verbose {
		s.Log = os.Stderr
	}
	return s
}

func (c *config) find(name string) string {
	for _, dir := range c.components {
		file := filepath.Join(dir, name+".wasm")
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	return ""
}

func byComponent(shapes []httpshape.Shape, only *regexp.Regexp) [][]httpshape.Shape {
	var out [][]httpshape.Shape
	at := map[string]int{}
	for _, s := range shapes {
		if !only.MatchString(s.Component + ": " + s.Name) {
			continue
		}
		i, known := at[s.Component]
		if !known {
			i = len(out)
			at[s.Component] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], s)
	}
	return out
}

func write(file string, recorded []httpshape.Recorded) error {
	text, err := json.MarshalIndent(recorded, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
