package native

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/realm-mesh/realm/runnerd/internal/native/confine"
)

// Spec is one execution.
type Spec struct {
	// Dir is the execution's folder, made by the caller for it alone, of mode 0700.
	Dir string `json:"dir"`
	// Argv is the program and its arguments. Argv[0] is an absolute path; a script with #!
	// is as good as a binary.
	Argv []string `json:"argv"`
	// Files are files that the program may read and execute at their own paths, such as the
	// binary behind an emulator. Argv[0] is one in any case. What not all users may read is
	// copied where the program has a user id of its own, so too with assets.
	Files []string `json:"files,omitempty"`
	// Env is the whole environment, but for PATH, HOME and TMPDIR where it has none, and
	// REALM_ASSETS.
	Env map[string]string `json:"env,omitempty"`
	// WorkDir is the working folder, which the program may write. It is there before, and
	// stays. Where [WorkRoot] names another folder than the caller's it must lie in that. What
	// is in it afterwards is a stranger's, links out of it among that: read it by [os.Root].
	WorkDir string `json:"work_dir"`
	// Cwd is where the program begins: a folder in WorkDir, as a path from there, made by
	// the caller; empty: WorkDir itself.
	Cwd    string  `json:"cwd,omitempty"`
	Assets []Asset `json:"assets,omitempty"`
	// Private are paths that the program never sees: the node's home and sockets, the
	// owner's keys. The working folder and the files may lie in them.
	Private []string      `json:"private,omitempty"`
	Limits  Limits        `json:"limits"`
	Timeout time.Duration `json:"timeout,omitempty"` // 0: none
	Grace   time.Duration `json:"grace,omitempty"`   // between TERM and KILL after the timeout; 0: 5 s
	// AllowLess runs the program also where the baseline of confinement does not hold.
	AllowLess bool `json:"allow_less,omitempty"`
	// Machine is what [Probe] found; nil: Start asks.
	Machine *Confinement `json:"machine,omitempty"`
}

// Asset is a read-only file that a program finds under its name in REALM_ASSETS.
type Asset = confine.Asset

// ProgramError is an error of [Start] that is about the program; all others are about this
// machine.
type ProgramError = confine.ProgramError

// Confinement is what keeps programs in, on a machine or for one execution.
type Confinement = confine.Confinement

// Limits of an execution, all processes together; 0: none, but where a default is named.
// What the machine cannot limit [Confinement] tells.
type Limits struct {
	MemoryMB  int64   `json:"memory_mb,omitempty"`
	CPUs      float64 `json:"cpus,omitempty"`
	PIDs      int     `json:"pids,omitempty"`       // processes and threads, 512 by default
	DiskMB    int64   `json:"disk_mb,omitempty"`    // of the working folder and /tmp
	OpenFiles int     `json:"open_files,omitempty"` // of one process, 4096 by default
}

// Defaults of a Spec.
const (
	defaultPIDs      = 512
	defaultOpenFiles = 4096
	defaultGrace     = 5 * time.Second
	defaultPath      = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	maxAssets        = 256
)

// EnvAssets names the folder of the assets to a program.
const EnvAssets = "REALM_ASSETS"

// Validate says what is wrong with a Spec.
func (s *Spec) Validate() error {
	for what, path := range map[string]string{"folder of the execution": s.Dir, "working folder": s.WorkDir} {
		if !filepath.IsAbs(path) {
			return fmt.Errorf("the %s, %.200q, is no absolute path", what, path)
		}
	}
	if s.Cwd != "" && !filepath.IsLocal(s.Cwd) {
		return fmt.Errorf("%.200q, where the program begins, is not in the working folder", s.Cwd)
	}
	if len(s.Argv) == 0 || !filepath.IsAbs(s.Argv[0]) {
		return errors.New("the program is no absolute path")
	}
	for _, a := range s.Argv {
		if strings.IndexByte(a, 0) >= 0 {
			return errors.New("an argument has a NUL in it")
		}
	}
	for k, v := range s.Env {
		if k == "" || strings.ContainsAny(k, "=\x00") || strings.IndexByte(v, 0) >= 0 {
			return fmt.Errorf("environment: %.100q cannot be set", k)
		}
	}
	if s.Timeout < 0 || s.Grace < 0 || s.Limits.MemoryMB < 0 || s.Limits.CPUs < 0 || s.Limits.PIDs < 0 || s.Limits.DiskMB < 0 || s.Limits.OpenFiles < 0 {
		return errors.New("a limit is negative")
	}
	return s.validateAssets()
}

func (s *Spec) validateAssets() error {
	if len(s.Assets) > maxAssets {
		return fmt.Errorf("%d assets are more than %d: pack them", len(s.Assets), maxAssets)
	}
	names := map[string]bool{}
	for _, a := range s.Assets {
		if a.Name == "" || a.Name == "." || a.Name == ".." || len(a.Name) > 255 || strings.ContainsAny(a.Name, "/\\\x00") {
			return fmt.Errorf("asset %.100q: its name is no file name", a.Name)
		}
		if names[a.Name] {
			return fmt.Errorf("asset %q is there twice", a.Name)
		}
		names[a.Name] = true
		if !filepath.IsAbs(a.Path) {
			return fmt.Errorf("asset %q: %.200q is no absolute path", a.Name, a.Path)
		}
	}
	return nil
}

// resolve fills in defaults and follows the links of paths, so that what is shown to the
// program is what was meant.
func (s *Spec) resolve() error {
	for _, p := range []*string{&s.Dir, &s.WorkDir} {
		to, err := filepath.EvalSymlinks(*p)
		if err != nil {
			return err
		}
		if info, err := os.Stat(to); err != nil || !info.IsDir() {
			return fmt.Errorf("%s is no folder", *p)
		}
		*p = to
	}
	if err := s.resolveAssets(); err != nil {
		return err
	}
	for _, p := range s.Private {
		// Else what is private would lie where the program may write.
		if rel, err := filepath.Rel(s.WorkDir, filepath.Clean(p)); err == nil && filepath.IsLocal(rel) {
			return fmt.Errorf("the working folder %s holds %s, which no program may see", s.WorkDir, p)
		}
	}
	if s.Limits.PIDs == 0 {
		s.Limits.PIDs = defaultPIDs
	}
	if s.Limits.OpenFiles == 0 {
		s.Limits.OpenFiles = defaultOpenFiles
	}
	if s.Grace == 0 {
		s.Grace = defaultGrace
	}
	return nil
}

func (s *Spec) resolveAssets() error {
	s.Assets = slices.Clone(s.Assets) // the caller's stay as they are
	for i, a := range s.Assets {
		to, err := filepath.EvalSymlinks(a.Path)
		if err != nil {
			return fmt.Errorf("asset %s: %w", a.Name, err)
		}
		if info, err := os.Stat(to); err != nil || !info.Mode().IsRegular() {
			return fmt.Errorf("asset %s: %s is no file", a.Name, a.Path)
		}
		s.Assets[i].Path = to
	}
	return nil
}
