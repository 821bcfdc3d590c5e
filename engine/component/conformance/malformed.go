package main

import (
	"fmt"
	"strings"

	"github.com/realm-mesh/realm/engine"
)

// malformedRule is a rule of how components are written down, bytes that break it, and for what
// reason they are refused.
type malformedRule struct{ text, bytes, reason string }

const (
	componentHead = "\x00asm\x0d\x00\x01\x00"
	emptyModule   = "\x00asm\x01\x00\x00\x00"
)

// section is a component of one section.
func section(id byte, contents string) string {
	return componentHead + string([]byte{id, byte(len(contents))}) + contents
}

func malformedRules() []malformedRule {
	return []malformedRule{
		{"a component has its own version", "\x00asm\x0e\x00\x01\x00", "its version is 0e000100"},
		{"a section is one of those that there are", componentHead + "\x63\x00", "section 99 is not known"},
		{"a section has a length, and is as long", componentHead + "\x07\x05", "cut short"},
		{"a section ends where its length says", section(7, "\x00\x00"), "goes on after its end, by 1"},
		{"numbers have no more bits than they may", section(7, "\x80\x80\x80\x80\x10\x00"), "more than 32 bits"},
		{"no more is announced than there is", section(7, "\x7f"), "127 types are announced"},
		{"no more is announced than a host takes", section(7, "\xff\xff\xff\xff\x0f"), "types, at most"},
		{"names are UTF-8", section(7, "\x01\x72\x01\x01\xff\x79"), "not UTF-8"},
		{"a type has a form that there is", section(7, "\x01\x20"), "form of types 0x20 is not known"},
		{"a primitive type is one of those that there are", section(7, "\x01\x70\x41"), "primitive type 0x41 is not known"},
		{"a case of a variant ends with a 0", section(7, "\x01\x71\x01\x01a\x00\x01"), "end of a case 0x1"},
		{"a resource is represented by an i32", section(7, "\x01\x3f\x7d\x00"), "representation of a resource 0x7d"},
		{"a type of instances declares what it may", section(7, "\x01\x42\x01\x03\x00\x01a\x01\x00"), "declaration of a type 0x3"},
		{"a function has one result, or none", section(7, "\x01\x40\x00\x01\x01"), "list of results 0x1"},
		{"a core module within it is one", section(1, "\x00asm"), "core module 0: "},
		{"a core module within it is valid", section(1, emptyModule+"\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x05\x01\x03\x00\x1a\x0b"), "core module 0: function 0: drop: "},
		{"a component within it is one", section(4, emptyModule), "core module, not a component"},
		{"a core instance has a form that there is", section(2, "\x01\x02"), "form of core instances 0x2"},
		{"arguments of core modules are instances", section(2, "\x01\x00\x00\x01\x01m\x00\x00"), "sort of an argument of a core module 0x0"},
		{"a core type has a form that there is", section(3, "\x01\x61"), "form of core types 0x61"},
		{"an instance has a form that there is", section(5, "\x01\x02"), "form of instances 0x2"},
		{"an alias has a form and a sort that there are", section(6, "\x01\x01\x03"), "form of aliases 0x3"},
		{"functions are lifted", section(8, "\x01\x00\x01"), "sort of what is lifted"},
		{"an option is given once", section(8, "\x01\x01\x00\x00\x02\x00\x01"), "option 0x1 is there twice"},
		{"an option is one of those that there are", section(8, "\x01\x01\x00\x00\x01\x0a"), "option 0xa is not known"},
		{"a canonical definition is one of those that there are", section(8, "\x01\x50"), "canonical definition 0x50"},
		{"a name has a form that there is", section(10, "\x01\x03\x01a\x01\x00"), "form of names 0x3"},
		{"an import has a sort that there is", section(10, "\x01\x00\x01a\x06\x00"), "sort of imports and exports 0x6"},
		{"an export has a type, or none", section(11, "\x01\x00\x01a\x01\x00\x02"), "type of an export 0x2"},
	}
}

// parseMalformed tells which of the rules' bytes are not refused as they must be.
func parseMalformed() (wrong []string) {
	for _, r := range malformedRules() {
		if _, err := engine.Parse([]byte(r.bytes)); err == nil || !strings.Contains(err.Error(), r.reason) {
			wrong = append(wrong, fmt.Sprintf("%s: %v, and not: %s", r.text, err, r.reason))
		}
	}
	return wrong
}
