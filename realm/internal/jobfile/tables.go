package jobfile

import (
	"math"
	"path"
	"path/filepath"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/tomlfile"
)

// maxMinutes is a year and a day, as package api has it.
const maxMinutes = 366 * 24 * 60

func (r *reader) runtimeKeys() tomlfile.Keys {
	rt := &r.plan.Body.Runtime
	return tomlfile.Keys{
		"type":            func(f tomlfile.Field) { rt.Type = api.RuntimeType(r.word(f, words(api.RuntimeTypes())...)) },
		"source":          r.program,
		"binary":          r.program,
		"sha256_hex":      func(f tomlfile.Field) { r.plan.Program.SHA256 = r.Digest(f) },
		"memory_mb":       func(f tomlfile.Field) { n, _ := r.Integer(f, api.MaxMemoryMB); rt.Limits.MemoryMaxMB = int(n) },
		"fuel":            func(f tomlfile.Field) { n, _ := r.Integer(f, math.MaxInt64); rt.Limits.Fuel = uint64(n) },
		"epoch_ms":        func(f tomlfile.Field) { rt.Limits.EpochMS, _ = r.Integer(f, api.MaxEpochMS) },
		"mounts":          func(f tomlfile.Field) { rt.Mounts = r.HostMounts(f) },
		"args":            func(f tomlfile.Field) { rt.Args = r.Args(f) },
		"env":             func(f tomlfile.Field) { rt.Env = r.Env(f) },
		"target_platform": func(f tomlfile.Field) { rt.TargetPlatform = r.platform(f) },
		"qemu_binary":     func(f tomlfile.Field) { rt.QEMU, _ = r.Str(f) },
	}
}

// program reads source or binary.
func (r *reader) program(f tomlfile.Field) {
	p := &r.plan.Program
	if p.At != "" {
		r.Wrong(f.At, "source and binary are the same: source is for wasm, binary for native and qemu")
		return
	}
	p.At = r.Where(f.Value.At.From)
	if s, ok := r.Str(f); ok {
		p.Source = r.Source(f, r.dir, "the path of a file", s)
		r.plan.Body.Runtime.File = fileName(p.Source)
	}
}

// fileName is the name of a program for people; "" where it has none that will do.
func fileName(s tomlfile.Source) string {
	name := ""
	switch {
	case s.Kind == tomlfile.File && s.Path != "":
		name = filepath.Base(s.Path)
	case s.Kind == tomlfile.URL && s.URL != nil:
		name = path.Base(s.URL.Path)
	case s.Kind == tomlfile.OCI:
		name = s.Ref.Base()
	}
	if !api.ValidFile(name) {
		return ""
	}
	return name
}

// only are the keys of [runtime] that some types have, and others have not.
var only = map[string][]api.RuntimeType{
	"source": {api.RuntimeWasm}, "memory_mb": {api.RuntimeWasm}, "fuel": {api.RuntimeWasm}, "epoch_ms": {api.RuntimeWasm}, "mounts": {api.RuntimeWasm},
	"binary": {api.RuntimeNative, api.RuntimeQEMU}, "target_platform": {api.RuntimeQEMU}, "qemu_binary": {api.RuntimeQEMU},
}

func (r *reader) runtime(f tomlfile.Field) {
	before := len(r.Problems)
	r.Table(f, "[runtime]", r.runtimeKeys())
	if len(r.Problems) > before {
		return
	}
	rt, p := &r.plan.Body.Runtime, r.plan.Program
	if rt.Type == "" {
		r.Wrong(f.At, "type is missing: want type = \"wasm\", \"native\" or \"qemu\"")
		return
	}
	for _, in := range f.Fields {
		if types, some := only[in.Key]; some && !contains(types, rt.Type) {
			r.Wrong(in.At, "%s: %s", in.Key, elsewhere(in.Key, rt.Type))
		}
	}
	switch {
	case len(r.Problems) > before:
	case p.At == "" && rt.Type == api.RuntimeWasm:
		r.Wrong(f.At, "source is missing: say where its program is, as in source = \"work.wasm\"")
	case p.At == "":
		r.Wrong(f.At, "binary is missing: say where its program is, as in binary = \"build.sh\"")
	case rt.Type == api.RuntimeQEMU && rt.TargetPlatform == "":
		r.Wrong(f.At, "target_platform is missing: say what the program is made for, as in target_platform = \"linux/arm64\"")
	default:
		r.checkDigest(f, p, "sha256_hex")
	}
}

func contains(all []api.RuntimeType, t api.RuntimeType) bool {
	for _, x := range all {
		if x == t {
			return true
		}
	}
	return false
}

// elsewhere says what to write in the place of a key that a type has not.
func elsewhere(key string, t api.RuntimeType) string {
	switch key {
	case "source":
		return "the program of a " + string(t) + " job is its binary: binary = \"…\""
	case "binary":
		return "the program of a wasm job is its source: source = \"…\""
	case "memory_mb":
		return "only wasm has it: say memory_mb in [resources]"
	case "target_platform", "qemu_binary":
		return "only qemu jobs have it; where others may run is said by platform in [targeting]"
	}
	return "only wasm jobs have it"
}

// checkDigest wants one where anybody could change what is fetched.
func (r *reader) checkDigest(f tomlfile.Field, b Blob, key string) {
	switch {
	case b.Kind == tomlfile.URL && b.SHA256.IsZero():
		r.Wrong(f.At, "%s is missing: what comes from an address must be named by its sha256, as sha256sum prints it", key)
	case b.Kind == tomlfile.OCI && b.SHA256.IsZero() && !b.Ref.Pinned():
		r.Wrong(f.At, "%s is missing: a tag may be another file tomorrow: say what it is, or name it by @sha256:… in the place of the tag", key)
	case b.Kind == tomlfile.Blob && !b.SHA256.IsZero() && b.SHA256 != b.Source.SHA256:
		r.Wrong(f.At, "%s names another file than cas: does", key)
	}
}

func (r *reader) executionKeys() tomlfile.Keys {
	j := &r.plan.Body
	return tomlfile.Keys{
		"working_dir": func(f tomlfile.Field) { j.WorkingDir, _ = r.Str(f) },
		"timeout_minutes": func(f tomlfile.Field) {
			n, _ := r.Number(f, maxMinutes)
			j.Timeout = api.Duration(max(time.Duration(n*float64(time.Minute)), time.Duration(bit(n > 0))))
		},
		"artifacts": func(f tomlfile.Field) { j.Artifacts = r.artifacts(f) },
		"pre_stage": func(f tomlfile.Field) { r.stages(f) },
	}
}

func (r *reader) execution(f tomlfile.Field) { r.Table(f, "[execution]", r.executionKeys()) }

func (r *reader) artifacts(f tomlfile.Field) (out []api.JobArtifact) {
	for _, item := range r.List(f) {
		var a api.JobArtifact
		before := len(r.Problems)
		r.Table(item, "an artifact", tomlfile.Keys{
			"path": func(f tomlfile.Field) { a.Path, _ = r.Str(f) },
			"name": func(f tomlfile.Field) { a.Name, _ = r.Str(f) },
		})
		if a.Path = path.Clean(a.Path); a.Name == "" {
			a.Name = path.Base(a.Path)
		}
		if len(r.Problems) == before && a.Path == "." {
			r.Wrong(item.Value.At, "an artifact needs a path, below the run's folder: { path = \"out/report.txt\", name = \"report\" }")
		}
		out = append(out, a)
	}
	return out
}

func (r *reader) stages(f tomlfile.Field) {
	for _, item := range r.List(f) {
		var s api.JobStage
		b := Blob{At: r.Where(item.Value.At.From)}
		before, sourced := len(r.Problems), false
		r.Table(item, "an entry of pre_stage", tomlfile.Keys{
			"source": func(f tomlfile.Field) {
				if text, ok := r.Str(f); ok {
					sourced, b.Source = true, r.Source(f, r.dir, "the path of a file", text)
				}
			},
			"dest":       func(f tomlfile.Field) { s.Dest, _ = r.Str(f) },
			"sha256_hex": func(f tomlfile.Field) { b.SHA256 = r.Digest(f) },
		})
		switch {
		case len(r.Problems) > before:
		case !sourced || s.Dest == "":
			r.Wrong(item.Value.At, "pre_stage: want source and dest in each: { source = \"cas:…\", dest = \"data.bin\" }")
		default:
			r.checkDigest(tomlfile.Field{At: item.Value.At}, b, "sha256_hex")
		}
		r.plan.Body.PreStage, r.plan.Stages = append(r.plan.Body.PreStage, s), append(r.plan.Stages, b)
	}
}

func (r *reader) targetingKeys() tomlfile.Keys {
	return tomlfile.Keys{
		"platform": func(f tomlfile.Field) { r.plan.Body.Platform = r.platform(f) },
		"tags":     func(f tomlfile.Field) { r.plan.Target.Tags = r.Tags(f) },
		"node_ids": func(f tomlfile.Field) { r.plan.Target.Peers = r.Peers(f) },
	}
}

func (r *reader) targeting(f tomlfile.Field) { r.Table(f, "[targeting]", r.targetingKeys()) }

func (r *reader) platform(f tomlfile.Field) string {
	s, ok := r.Str(f)
	if !ok {
		return ""
	}
	if err := api.ValidatePlatform(s); err != nil || s == "" {
		r.Wrong(f.Value.At, "%s: %q: want one like linux/amd64", f.Key, tomlfile.Clip(s))
		return ""
	}
	return s
}
