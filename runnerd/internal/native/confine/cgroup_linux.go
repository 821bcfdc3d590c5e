package confine

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Caps are limits for all processes of an execution together; 0: none.
type Caps struct {
	MemoryBytes int64
	PIDs        int
	CPUs        float64
}

// Groups are the control groups of one execution. They may be written down, and found
// again by another process.
type Groups struct {
	Unified string            `json:"unified,omitempty"` // the folder in version 2
	Folders map[string]string `json:"folders,omitempty"` // by controller, in version 1
}

// controllers that are of use here.
var controllers = []string{"memory", "pids", "cpu"}

// MakeGroups makes control groups of a name, as far as this machine lets, and says which
// controllers it has not and why.
func MakeGroups(name string) (Groups, map[string]error) {
	why := map[string]error{}
	g := Groups{Folders: map[string]string{}}
	v2, v1 := hierarchies()
	if v2 != nil {
		g.Unified = makeUnified(*v2, name, why)
	}
	for _, c := range controllers {
		if why[c] == nil && g.Unified != "" {
			continue
		}
		at, ok := v1[c]
		if !ok {
			if why[c] == nil {
				why[c] = errors.New("this machine mounts no such controller")
			}
			continue
		}
		dir := filepath.Join(at, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			why[c] = err
			continue
		}
		g.Folders[c] = dir
		delete(why, c)
	}
	return g, why
}

// makeUnified makes a group in the nearest group above this process whose children have
// controllers; those that it has not are in why.
func makeUnified(h hierarchy, name string, why map[string]error) string {
	last := errors.New("no group above has controllers for its children")
	for at := h.own; ; at = filepath.Dir(at) {
		b, err := os.ReadFile(filepath.Join(at, "cgroup.subtree_control"))
		has := strings.Fields(string(b))
		if err == nil && slices.Contains(has, "memory") || slices.Contains(has, "pids") {
			dir := filepath.Join(at, name)
			if err = os.Mkdir(dir, 0o755); err == nil {
				for _, c := range controllers {
					if !slices.Contains(has, c) {
						why[c] = fmt.Errorf("%s does not hand it down", at)
					}
				}
				return dir
			}
			last = err
		}
		if at == h.root || at == "/" || at == "." {
			break
		}
	}
	for _, c := range controllers {
		why[c] = last
	}
	return ""
}

// Limit sets limits, and says which of them do not hold and why.
func (g Groups) Limit(c Caps) map[string]error {
	why := map[string]error{}
	set := func(controller, file, value string) {
		dir, ok := g.folder(controller)
		if !ok {
			return
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(value), 0); err != nil {
			why[controller] = err
		}
	}
	if c.MemoryBytes > 0 {
		n := strconv.FormatInt(c.MemoryBytes, 10)
		if _, old := g.Folders["memory"]; old {
			set("memory", "memory.limit_in_bytes", n)
			g.hint("memory", "memory.memsw.limit_in_bytes", n)
		} else {
			set("memory", "memory.max", n)
			g.hint("memory", "memory.swap.max", "0")
			g.hint("memory", "memory.oom.group", "0")
		}
	}
	if c.PIDs > 0 {
		set("pids", "pids.max", strconv.Itoa(c.PIDs))
	}
	if c.CPUs > 0 {
		const period = 100_000
		quota := strconv.Itoa(max(1000, int(c.CPUs*period)))
		if _, old := g.Folders["cpu"]; old {
			set("cpu", "cpu.cfs_period_us", strconv.Itoa(period))
			set("cpu", "cpu.cfs_quota_us", quota)
		} else {
			set("cpu", "cpu.max", quota+" "+strconv.Itoa(period))
		}
	}
	return why
}

// hint sets what not every kernel has.
func (g Groups) hint(controller, file, value string) {
	if dir, ok := g.folder(controller); ok {
		_ = os.WriteFile(filepath.Join(dir, file), []byte(value), 0) // it holds without
	}
}

func (g Groups) folder(controller string) (string, bool) {
	if dir, ok := g.Folders[controller]; ok {
		return dir, true
	}
	return g.Unified, g.Unified != ""
}

func (g Groups) all() []string {
	var out []string
	if g.Unified != "" {
		out = append(out, g.Unified)
	}
	for _, dir := range g.Folders {
		out = append(out, dir)
	}
	return out
}

// Add puts a process, and all that it starts from now on, into the groups.
func (g Groups) Add(pid int) error {
	for _, dir := range g.all() {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
			return fmt.Errorf("put the program into its control group: %w", err)
		}
	}
	return nil
}

// OutOfMemory reports whether the kernel has killed a process of the groups since they
// had no more memory.
func (g Groups) OutOfMemory() bool {
	dir, ok := g.folder("memory")
	if !ok {
		return false
	}
	for _, name := range []string{"memory.events", "memory.oom_control"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if n, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok && n != "0" {
				return true
			}
		}
	}
	return false
}

// Kill kills all that is in the groups, and returns once nothing is left, at most after
// some seconds.
func (g Groups) Kill() {
	g.hint("pids", "pids.max", "0") // so that it starts no more
	for _, dir := range g.all() {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0) // version 2 has it, newer ones
		for range 200 {
			b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
			pids := strings.Fields(string(b))
			if err != nil || len(pids) == 0 {
				break
			}
			for _, s := range pids {
				if pid, err := strconv.Atoi(s); err == nil && pid > 0 {
					_ = unix.Kill(pid, unix.SIGKILL)
				}
			}
			time.Sleep(10 * time.Millisecond) // the kernel tells of no end of a group in version 1
		}
	}
}

// Remove removes the groups. Nothing may be left in them.
func (g Groups) Remove() error {
	var errs []error
	for _, dir := range g.all() {
		var err error
		for range 100 {
			if err = os.Remove(dir); err == nil || !errors.Is(err, unix.EBUSY) {
				break
			}
			time.Sleep(10 * time.Millisecond) // what has ended leaves a group a little later
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove control group: %w", err))
		}
	}
	return errors.Join(errs...)
}

// hierarchy is where a control group file system is mounted, and the group of this process.
type hierarchy struct{ root, own string }

// hierarchies returns those of this process: version 2, and version 1 by controller.
func hierarchies() (v2 *hierarchy, v1 map[string]string) {
	mine := map[string]string{} // path of this process's group by controller; "" for version 2
	for _, line := range readLines("/proc/self/cgroup") {
		if f := strings.SplitN(line, ":", 3); len(f) == 3 {
			for c := range strings.SplitSeq(f[1], ",") {
				mine[c] = f[2]
			}
		}
	}
	v1 = map[string]string{}
	for _, line := range readLines("/proc/self/mountinfo") {
		before, after, ok := strings.Cut(line, " - ")
		f, g := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 5 || len(g) < 3 {
			continue
		}
		// The mount may show a part of the hierarchy alone, as in a container.
		at := func(path string) string {
			rel, err := filepath.Rel(f[3], path)
			if err != nil || strings.HasPrefix(rel, "..") {
				return f[4]
			}
			return filepath.Join(f[4], rel)
		}
		switch g[0] {
		case "cgroup2":
			v2 = &hierarchy{f[4], at(mine[""])}
		case "cgroup":
			for _, c := range controllers {
				if slices.Contains(strings.Split(g[2], ","), c) {
					v1[c] = at(mine[c])
				}
			}
		}
	}
	return v2, v1
}

func readLines(path string) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var out []string
	for s := bufio.NewScanner(f); s.Scan(); {
		out = append(out, s.Text())
	}
	return out
}
