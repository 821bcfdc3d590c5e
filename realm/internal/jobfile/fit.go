package jobfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/wasmfile"
)

// HeadBytes is how much of the beginning of a program [Plan.Fit] needs, at most.
const HeadBytes = 4 << 10

// Fit compares the plan with the beginning of its program, and where a native program
// says itself what it was made for, has the job run there.
func (p *Plan) Fit(head []byte) error {
	rt := &p.Body.Runtime
	if err := p.fit(head); err != nil {
		return fmt.Errorf("%s: %s: %w", p.Program.At, orText(rt.File, p.Program.Text), err)
	}
	return nil
}

func (p *Plan) fit(head []byte) error {
	rt := &p.Body.Runtime
	if rt.Type == api.RuntimeWasm {
		if err := wasmfile.Check(bytes.Clone(head)); err != nil {
			return fmt.Errorf("it is %w", err)
		}
		return nil
	}
	if len(head) == 0 {
		return errors.New("it is empty")
	}
	made := Platform(head)
	script := bytes.HasPrefix(head, []byte("#!"))
	switch {
	case rt.Type == api.RuntimeQEMU && made == "":
		return errors.New("it is no program for Linux (ELF): qemu executes nothing else")
	case rt.Type == api.RuntimeQEMU && made != rt.TargetPlatform:
		return fmt.Errorf("it was made for %s, and target_platform says %s", made, rt.TargetPlatform)
	case rt.Type == api.RuntimeQEMU:
	case made == "" && !script:
		return errors.New("it is neither a program (ELF, Mach-O, PE) nor a script: a script begins with a line such as #!/bin/sh")
	case script:
	case p.Body.Platform == "":
		p.Body.Platform = made
	case p.Body.Platform != made:
		return fmt.Errorf("it was made for %s, and platform in [targeting] says %s", made, p.Body.Platform)
	}
	return nil
}

func orText(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// Platform is the GOOS/GOARCH that the beginning of an executable file names; "" for
// files of other kinds, and of processors that Go does not know. An ELF file of no
// particular system is one for Linux: so are those that Go and C compilers make there.
func Platform(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return elf(head)
	case bytes.HasPrefix(head, []byte("\xcf\xfa\xed\xfe")) && len(head) >= 8:
		return on("darwin", map[uint32]string{0x01000007: "amd64", 0x0100000c: "arm64"}[binary.LittleEndian.Uint32(head[4:])])
	case bytes.HasPrefix(head, []byte("MZ")) && len(head) >= 0x40:
		at := int(binary.LittleEndian.Uint32(head[0x3c:]))
		if at < 0 || at > len(head)-6 || !bytes.Equal(head[at:at+4], []byte("PE\x00\x00")) {
			return ""
		}
		return on("windows", map[uint16]string{0x8664: "amd64", 0xaa64: "arm64", 0x14c: "386"}[binary.LittleEndian.Uint16(head[at+4:])])
	}
	return ""
}

func on(system, arch string) string {
	if arch == "" {
		return ""
	}
	return system + "/" + arch
}

// elf reads the header of an ELF file: class, byte order and system in its first
// sixteen bytes, the processor behind (System V ABI, chapter 4).
func elf(head []byte) string {
	if len(head) < 20 {
		return ""
	}
	system := map[byte]string{0: "linux", 3: "linux", 2: "netbsd", 9: "freebsd", 12: "openbsd"}[head[7]]
	wide, little := head[4] == 2, head[5] == 1
	machine := binary.BigEndian.Uint16(head[18:])
	if little {
		machine = binary.LittleEndian.Uint16(head[18:])
	}
	arch := ""
	switch {
	case system == "":
	case machine == 21 && wide && little:
		arch = "ppc64le"
	case machine == 21 && wide:
		arch = "ppc64"
	case machine == 8:
		arch = mips(wide, little)
	case wide:
		arch = map[uint16]string{62: "amd64", 183: "arm64", 243: "riscv64", 22: "s390x", 258: "loong64"}[machine]
	default:
		arch = map[uint16]string{3: "386", 40: "arm"}[machine]
	}
	return on(system, arch)
}

func mips(wide, little bool) string {
	arch := "mips"
	if wide {
		arch += "64"
	}
	if little {
		arch += "le"
	}
	return arch
}
