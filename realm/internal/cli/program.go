package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/owner"
	"github.com/realm-mesh/realm/realm/internal/pack"
	"github.com/realm-mesh/realm/realm/internal/wasmfile"
)

// programFlags describe a program, what it may use, and who runs it.
type programFlags struct {
	memoryMB    int
	fuel        uint64
	epochMS     int64
	peers, tags []string
	start       bool
	changeFlags
}

func (p *programFlags) declareLimits(f *pflag.FlagSet) {
	f.IntVar(&p.memoryMB, "memory-max-mb", 0, fmt.Sprintf("most memory of an instance, with its tables, MiB (default %d)", api.DefaultMemoryMB))
	f.Uint64Var(&p.fuel, "fuel", 0, "units of work per invocation, about one an instruction (default: no limit)")
	f.Int64Var(&p.epochMS, "epoch-ms", 0, fmt.Sprintf("deadline of one call or request, milliseconds (default %d); a command has none unless it is given", api.DefaultDeadline.Milliseconds()))
}

func (p *programFlags) declare(f *pflag.FlagSet) {
	p.declareLimits(f)
	f.StringSliceVar(&p.peers, "peer", nil, "peer id of a node that runs it (default: every node); may be repeated")
	f.StringSliceVar(&p.tags, "tag", nil, "role of the nodes that run it; may be repeated: any of them will do")
	f.BoolVar(&p.start, "start", true, "start it; --start=false only brings it to the nodes")
	p.changeFlags.declare(f, "return when it runs on all its nodes, and enough members keep it")
	p.durability.declare(f, "the program is")
}

func (p *programFlags) limits() (api.Limits, error) {
	l := api.Limits{MemoryMaxMB: p.memoryMB, Fuel: p.fuel, EpochMS: p.epochMS}
	return l, l.Validate()
}

func (p *programFlags) target() (api.Target, error) {
	t := api.Target{Tags: p.tags}
	for _, s := range p.peers {
		id, err := api.ParsePeerID(s)
		if err != nil {
			return t, fmt.Errorf("--peer: %w: realm peers lists them", err)
		}
		t.Peers = append(t.Peers, id)
	}
	if err := t.Validate(); err != nil {
		return t, err
	}
	return t, nil
}

// program is a workload that is ready to be pushed.
type program struct {
	ref    api.Ref
	file   string // what a person called it
	module wasmfile.Module
	about  wasmfile.About
	target api.Target
	body   api.Workload
	files  []pack.Blob // of its mounts
	source api.Source  // a package; zero: it is pushed by itself
	// takeOver: also where a manifest looks after it.
	takeOver bool
	changeFlags
}

// build puts the parts that the flags describe together: load gets the bytes, body the
// program with its limits, and what is to be seen of it.
func (p *programFlags) build(cmd *cobra.Command, ref api.Ref, file string, body func(api.Program, wasmfile.About) (api.Workload, error), load func(file string) (wasmfile.Module, error)) (*program, error) {
	limits, err := p.limits()
	if err == nil && cmd.Flags().Lookup("durability") != nil {
		err = p.durability.check()
	}
	if err != nil {
		return nil, misused(cmd, err)
	}
	target, err := p.target()
	if err != nil {
		return nil, misused(cmd, err)
	}
	m, err := load(file)
	if err != nil {
		return nil, err
	}
	about, err := m.About()
	if err != nil {
		return nil, fmt.Errorf("%s is %w", file, err)
	}
	w, err := body(api.Program{Blob: m.Digest, Size: m.Size(), Limits: limits}, about)
	if err != nil {
		return nil, err
	}
	if v, ok := w.(api.Validator); ok {
		if err := v.Validate(); err != nil {
			return nil, misused(cmd, err)
		}
	}
	return &program{ref: ref, file: file, module: m, about: about, target: target, body: w, changeFlags: p.changeFlags}, nil
}

// firstProgram is the one that realm up --wasm pushes; nil for none.
func firstProgram(cmd *cobra.Command, file string, p programFlags) (*program, error) {
	if file == "" {
		if p.memoryMB != 0 || p.fuel != 0 || p.epochMS != 0 {
			return nil, misused(cmd, errors.New("--memory-max-mb, --fuel and --epoch-ms are for the program of --wasm, which is missing"))
		}
		return nil, nil
	}
	name, err := nameOf(file)
	if err != nil {
		return nil, misused(cmd, err)
	}
	p.wait = true
	prog, err := p.build(cmd, api.Ref{Kind: api.KindComponent, Name: name}, file,
		func(m api.Program, about wasmfile.About) (api.Workload, error) {
			i, err := about.Interface()
			if err != nil {
				return nil, fmt.Errorf("%s is %w", file, err)
			}
			return &api.Component{Module: m, Interface: i}, nil
		}, wasmfile.Read)
	if err != nil {
		return nil, err
	}
	_, err = owner.Load() // better now than when the node is up
	return prog, err
}

// nameOf names a program after its file.
func nameOf(file string) (api.Name, error) {
	base := filepath.Base(file)
	name, err := api.ParseName(strings.ToLower(strings.TrimSuffix(base, filepath.Ext(base))))
	if err != nil {
		return "", fmt.Errorf("--wasm: the file gives the program its name: %w: rename the file, or bring the node up without it and use realm push --name", err)
	}
	return name, nil
}

// parseEnv reads K=V pairs.
func parseEnv(pairs []string) (map[string]string, error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	env := map[string]string{}
	for _, kv := range pairs {
		k, v, ok := strings.Cut(kv, "=")
		if !ok || k == "" {
			return nil, fmt.Errorf("--env %.80q: want NAME=VALUE", kv)
		}
		env[k] = v
	}
	return env, nil
}
