package program

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/engine/wasmtest"
)

func TestCheckRefusesBadInput(t *testing.T) {
	whole := wasmtest.Functions(wasmtest.Identity("f", wasmtest.I64))
	const invalid = "not a valid WebAssembly module"
	for name, c := range map[string]struct {
		in   []byte
		says []string
	}{
		"nothing":            {nil, []string{"not a WebAssembly file"}},
		"text":               {[]byte("#!/bin/sh\necho hello\n"), []string{"not a WebAssembly file"}},
		"an ELF file":        {[]byte("\x7fELF\x02\x01\x01\x00\x00\x00"), []string{"not a WebAssembly file"}},
		"half a header":      {[]byte("\x00asm\x01"), []string{"not a WebAssembly file"}},
		"foreign component":  {wasmtest.Importing("launch"), []string{"this component needs what is not here: function launch", "WASI 0.2"}},
		"broken component":   {append(wasmtest.Component(), 7), []string{"not a component that can run", "is cut short"}},
		"version 2":          {[]byte("\x00asm\x02\x00\x00\x00"), []string{invalid, "version is 02000000"}},
		"cut short":          {whole[:len(whole)-5], []string{invalid, "is cut short"}},
		"cut in a section":   {whole[:20], []string{invalid, "is cut short"}},
		"vector bomb":        {wasmtest.VectorBomb(1), []string{invalid, "types"}},
		"no room for items":  {section(1, 0x80, 0x08), []string{invalid, "is cut short: 1024 types"}},
		"unknown section":    {section(13, 0), []string{invalid, "section 13 is not known"}},
		"sections reversed":  {append(section(3, 0), wasmtest.Section(1, []byte{0})...), []string{invalid, "out of order"}},
		"section twice":      {append(section(1, 0), wasmtest.Section(1, []byte{0})...), []string{invalid, "twice"}},
		"bytes too many":     {section(1, 0, 0), []string{invalid, "goes on after its end"}},
		"unknown type":       {section(3, 1, 0), []string{invalid, "type 0 is not there"}},
		"no code":            {append(section(1, 1, 0x60, 0, 0), wasmtest.Section(3, []byte{1, 0})...), []string{invalid, "1 functions are announced, 0 have code"}},
		"shared memory":      {section(5, 1, 3, 1, 1), []string{invalid, "shared"}},
		"two memories":       {section(5, 2, 0, 1, 0, 1), []string{invalid, "memories"}},
		"huge table":         {section(4, 1, 0x70, 0, 0xff, 0xff, 0xff, 0x7f), []string{invalid, "elements in tables"}},
		"export of nothing":  {section(7, 1, 1, 'f', 0, 0), []string{invalid, "function 0 is not there"}},
		"name not UTF-8":     {section(7, 1, 1, 0xff, 0, 0), []string{invalid, "UTF-8"}},
		"gc type":            {section(1, 1, 0x5f, 0, 0), []string{invalid, "type form 0x5f is not known"}},
		"number too long":    {section(1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00), []string{invalid, "a number has more than 32 bits"}},
		"too many locals":    {code(1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f, 0x0b), []string{invalid, "locals"}},
		"start of nothing":   {section(8, 5), []string{invalid, "function 5 is not there"}},
		"data, no memory":    {section(11, 1, 0, 0x41, 0, 0x0b, 0), []string{invalid, "no memory"}},
		"endless expression": {section(6, 1, 0x7f, 0, 0x41, 0, 0x6a), []string{invalid}},
		"missing operand":    {wasmtest.Command(0x6a), []string{invalid, "i32.add: an operand is missing"}},
		"what is left over":  {wasmtest.Command(0x41, 0), []string{invalid, "end: 1 operands are left over"}},
		"wrong instruction":  {wasmtest.Command(0xff), []string{invalid, "instruction 0xff is not known"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := check(c.in, 16)
			var refused *RefusedError
			lacks := func(s string) bool { return !strings.Contains(err.Error(), s) }
			if !errors.As(err, &refused) || slices.ContainsFunc(c.says, lacks) {
				t.Fatalf("got %v, want a refusal that says %q", err, c.says)
			}
		})
	}
}

func section(id byte, body ...byte) []byte {
	return append(wasmtest.Header(), wasmtest.Section(id, body)...)
}

// code is a module of one function with this body.
func code(body ...byte) []byte {
	m := append(section(1, 1, 0x60, 0, 0), wasmtest.Section(3, []byte{1, 0})...)
	return append(m, wasmtest.Section(10, append([]byte{1, byte(len(body))}, body...))...)
}

func TestSizeAtTheBeginIsBounded(t *testing.T) {
	table := func(elements ...byte) []byte {
		return append(section(4, append([]byte{1, 0x70, 0}, elements...)...), wasmtest.Section(5, []byte{1, 0, 16})...)
	}
	if _, _, err := check(table(0x80, 0x80, 0x04), 2); err != nil { // 64 Ki elements: 512 KiB
		t.Error(err)
	}
	_, _, err := check(table(0x80, 0x80, 0x0a), 2) // 160 Ki elements: 1.25 MiB
	if err == nil || !strings.Contains(err.Error(), "needs 3 MiB of memory and tables to begin with and is allowed 2: give it a larger --memory-max-mb") {
		t.Error(err)
	}
}
