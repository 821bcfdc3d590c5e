// Package policy is what a machine allows jobs to do on it: whether programs of its own
// platform may be executed, and those of others under an emulator. It is set on the
// machine alone, in policy.json of the node's home or by its environment, and never by
// what the owner signs.
package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
)

// Environment variables that stand before the file: true or false.
const (
	EnvNative    = "REALM_ALLOW_NATIVE_EXECUTION"
	EnvEmulation = "REALM_ALLOW_EMULATION"
)

// Policy is what a machine allows. The zero one allows nothing.
type Policy struct {
	AllowNative    bool `json:"allow_native_execution"`
	AllowEmulation bool `json:"allow_emulation"`
}

// maxFile caps a policy, in bytes.
const maxFile = 4 << 10

// Validate implements [api.Validator].
func (*Policy) Validate() error { return nil }

// ReadFile reads a policy from the file at path; none allows nothing.
func ReadFile(path string) (p Policy, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return p, fmt.Errorf("read policy: %w", err)
	}
	defer f.Close()
	b, err := api.ReadAll(f, maxFile)
	if err == nil {
		err = api.Decode(b, maxFile, &p)
	}
	if err != nil {
		why := strings.TrimPrefix(err.Error(), fmt.Sprintf("decode %T: ", &p)) // a Go type tells people nothing
		return Policy{}, fmt.Errorf("read policy: %s: %s: want {\"allow_native_execution\": false, \"allow_emulation\": false}; mend it, or remove it to allow nothing", path, why)
	}
	return p, nil
}

// Read is what holds: the file at path, and before it the environment.
func Read(path string) (Policy, error) {
	p, err := ReadFile(path)
	if err != nil {
		return p, err
	}
	for name, to := range map[string]*bool{EnvNative: &p.AllowNative, EnvEmulation: &p.AllowEmulation} {
		text, set := os.LookupEnv(name)
		if !set || text == "" {
			continue
		}
		if *to, err = strconv.ParseBool(text); err != nil {
			return Policy{}, fmt.Errorf("%s=%.20q: want true or false", name, text)
		}
	}
	return p, nil
}

// Write puts p into the file at path.
func Write(path string, p Policy) error {
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	if err := atomicfile.Write(path, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("write policy: %w", err)
	}
	return nil
}

// emulators are the names that qemu has for architectures, by GOARCH.
var emulators = map[string]string{
	"386": "i386", "amd64": "x86_64", "arm": "arm", "arm64": "aarch64", "loong64": "loongarch64", "mips": "mips", "mipsle": "mipsel",
	"mips64": "mips64", "mips64le": "mips64el", "ppc64": "ppc64", "ppc64le": "ppc64le", "riscv64": "riscv64", "s390x": "s390x",
}

// Emulator is the path of the emulator for Linux programs of an architecture (GOARCH). The
// error names the package that has it.
func Emulator(arch string) (string, error) {
	name, ok := emulators[arch]
	if !ok {
		return "", fmt.Errorf("there is no emulator for %.20q", arch)
	}
	for _, file := range []string{"qemu-" + name + "-static", "qemu-" + name} {
		if path, err := exec.LookPath(file); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no qemu-%s is on PATH here: install the package qemu-user-static", name)
}

// Powers is what p comes to on this machine.
func (p Policy) Powers() api.Powers {
	out := api.Powers{Native: p.AllowNative}
	if !p.AllowEmulation {
		return out
	}
	for arch := range emulators {
		if _, err := Emulator(arch); err == nil {
			out.Emulates = append(out.Emulates, arch)
		}
	}
	slices.Sort(out.Emulates)
	return out
}
