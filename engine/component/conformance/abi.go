package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
)

// abiRule is a rule of the canonical ABI. Cases name it by its id.
type abiRule struct{ id, section, text string }

// abiRules are in the order of the specification's CanonicalABI.md.
func abiRules() []abiRule {
	return []abiRule{
		{"may-enter", "Component instances", "an instance that a call is in is not entered, but from within itself"},
		{"may-leave", "Component instances", "realloc and post-return, and what they call, call no import, and make and drop no resource"},
		{"traps", "Component instances", "a trap ends all instances"},
		{"handles", "Tables", "handles are indices from 1 on, of one instance and one resource; free ones are used again, last first"},
		{"lend", "Tables", "an own that is lent is neither dropped nor given away"},
		{"bool", "Loading, lifting", "bool: 0 is false, any other number true; true is 1"},
		{"u8", "Loading, lifting", "u8: the low 8 bits count"},
		{"s8", "Loading, lifting", "s8: the low 8 bits count, with their sign"},
		{"u16", "Loading, lifting", "u16: the low 16 bits count"},
		{"s16", "Loading, lifting", "s16: the low 16 bits count, with their sign"},
		{"u32", "Loading, lifting", "u32: all 32 bits"},
		{"s32", "Loading, lifting", "s32: all 32 bits"},
		{"u64", "Loading, lifting", "u64: all 64 bits"},
		{"s64", "Loading, lifting", "s64: all 64 bits"},
		{"f32", "Loading, lifting", "f32: all numbers; NaNs become one"},
		{"f64", "Loading, lifting", "f64: all numbers; NaNs become one"},
		{"char", "Loading, lifting", "char: a scalar value of Unicode, else it traps"},
		{"string.utf8", "Loading, storing strings", "strings in UTF-8, which is valid and within the memory"},
		{"string.utf16", "Loading, storing strings", "strings in UTF-16, which is valid, aligned and within the memory"},
		{"string.latin1", "Loading, storing strings", "strings in Latin-1, or in UTF-16 with the highest bit of the length set"},
		{"list", "Loading, lifting", "lists: aligned, within the memory, elements one after the other"},
		{"record", "Loading, lifting", "records and tuples: fields aligned each as its type is"},
		{"variant", "Loading, lifting", "variants: a discriminant of 1, 2 or 4 bytes, core values joined; no case beyond the last"},
		{"enum", "Loading, lifting", "enums: variants without values"},
		{"option", "Loading, lifting", "options: none is 0, some is 1"},
		{"result", "Loading, lifting", "results: ok is 0, error is 1"},
		{"flags", "Loading, lifting", "flags: as many bits as there are names, others do not count"},
		{"own", "Lifting, lowering handles", "own: the handle goes from one table to another; it is there, once, and is an own"},
		{"borrow", "Lifting, lowering handles", "borrow: lent for one call, dropped before its end; a rep to who defines the resource"},
		{"flattening", "Flattening", "more than 16 parameters, or one result, are in memory: aligned, and within it"},
		{"realloc", "Lowering", "realloc gives memory for what is lowered: aligned, and within the memory"},
		{"post-return", "canon lift", "post-return is called once, with what the function returned, when that was read"},
		{"resource.rep", "canon resource.rep", "resource.rep tells the rep of a handle that is there"},
		{"resource.drop", "canon resource.drop", "resource.drop ends a handle that is there; an own by the destructor of who defines it"},
		{"core-instances", "Instantiation", "core instances are made in order; they share memories, tables, globals and functions"},
		{"components", "Instantiation", "components are nested and given to each other; instances share nothing"},
		{"limits", "Limits of the host", "all components of a program have one fuel, one limit of memory and one of depth"},
	}
}

// vectorCounts are how many vectors there are of each rule of values, as the unit tests of the canonical ABI run
// them: by id, and of those how many trap.
type vectorCounts struct{ all, traps map[string]int }

const vectorFile = "component/internal/canon/testdata/vectors.json.gz"

func countVectors(files fs.FS) (*vectorCounts, int, error) {
	f, err := files.Open(vectorFile)
	if err != nil {
		return nil, 0, fmt.Errorf("open vectors: %w", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, 0, fmt.Errorf("read vectors: %w", err)
	}
	var vectors []struct {
		Types []any
		Enc   int
		Trap  bool
		Alloc []any
	}
	if err := json.NewDecoder(z).Decode(&vectors); err != nil {
		return nil, 0, fmt.Errorf("read vectors: %w", err)
	}
	out := &vectorCounts{map[string]int{}, map[string]int{}}
	for _, v := range vectors {
		found := map[string]bool{"realloc": len(v.Alloc) > 0}
		kinds(v.Types, v.Enc, found)
		for id, is := range found {
			if !is {
				continue
			}
			out.all[id]++
			if v.Trap {
				out.traps[id]++
			}
		}
	}
	return out, len(vectors), nil
}

// kinds finds the rules that a type is about.
func kinds(t any, enc int, found map[string]bool) {
	switch t := t.(type) {
	case string:
		if t == "string" {
			t += "." + [...]string{"utf8", "utf16", "latin1"}[enc]
		}
		found[t] = true
	case []any:
		for _, e := range t {
			kinds(e, enc, found)
		}
	case map[string]any:
		for kind, of := range t {
			found[strings.Replace(kind, "tuple", "record", 1)] = true
			kinds(of, enc, found)
		}
	}
}
