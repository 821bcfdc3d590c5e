package zoo

import (
	"maps"
	"slices"
)

// Harm is what a module does to a host that believes it.
type Harm string

// Kinds of harm.
const (
	Decodes  Harm = "decodes"  // memory, time or a panic where it is read
	Reaches  Harm = "reaches"  // what meters add, had it not been refused
	Compiles Harm = "compiles" // memory or time where it is compiled
	Runs     Harm = "runs"     // never ends by itself, or not for years; its function is f
	Recurses Harm = "recurses" // frames of calls in the host's memory; its function is f
	Grows    Harm = "grows"    // memory and tables: f returns how much it has had of either
)

// Animal is one module.
type Animal struct {
	Name string // of its file, without .wasm
	Harm Harm
	// Reason is a part of what the decoder says of it, if it is refused.
	Reason string
	Module []byte
}

// All are the animals by name.
func All() []Animal {
	all := slices.Concat(liars(), unknown(), thieves())
	add := func(h Harm, modules map[string][]byte) {
		for name, b := range modules {
			all = append(all, Animal{Name: name, Harm: h, Module: b})
		}
	}
	add(Compiles, bombs())
	add(Runs, endless())
	add(Recurses, deep())
	add(Grows, greedy())
	slices.SortFunc(all, func(a, b Animal) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return all
}

// With are those that do one kind of harm, by name.
func With(h Harm) map[string][]byte {
	found := map[string][]byte{}
	for _, a := range All() {
		if a.Harm == h {
			found[a.Name] = a.Module
		}
	}
	return maps.Clone(found)
}
