package confine

// Commands of runnerd that start the processes of this package; it calls itself so.
const (
	InitCommand = "job-init"
)

// Plan is what shall hold for one execution. Paths are those of the host.
type Plan struct {
	Argv    []string `json:"argv"`
	Env     []string `json:"env"` // all of it
	WorkDir string   `json:"work_dir"`
	Cwd     string   `json:"cwd"`              // where the program begins, in WorkDir
	Tmp     string   `json:"tmp"`              // private, may be written
	Shm     string   `json:"shm,omitempty"`    // seen at /dev/shm, with a root of its own
	Assets  []Asset  `json:"assets,omitempty"` // seen in AssetsDir
	Files   []Asset  `json:"files,omitempty"`  // read and executed; their names are paths
	Shared  []string `json:"shared,omitempty"` // folders that are read, without a root of its own
	Private []string `json:"private,omitempty"`
	// Root is an empty folder for the root; empty: there is no mount namespace.
	Root     string `json:"root,omitempty"`
	PIDSpace bool   `json:"pid_namespace,omitempty"`
	User     *User  `json:"user,omitempty"` // nil: it stays
	ABI      int    `json:"landlock_abi"`   // 0: no Landlock
	Seccomp  bool   `json:"seccomp"`
	Rlimits  Rlimit `json:"rlimits"`
	// Try says to confine a thread, tell, and start nothing.
	Try bool `json:"try,omitempty"`
}

// User is who the program runs as.
type User struct {
	ID int `json:"id"` // also of its group
}

// Asset is a file that is given to the program.
type Asset struct {
	Name string `json:"name"`
	Path string `json:"path"`
}

// Rlimit is what a process of the program may have; 0: as the system has it.
type Rlimit struct {
	FileBytes int64 `json:"file_bytes,omitempty"`
	OpenFiles int   `json:"open_files,omitempty"`
	Processes int   `json:"processes,omitempty"` // of the user
}

// ProgramError is what is wrong with a program itself, on whichever machine of this kind
// it is started.
type ProgramError struct{ Reason string }

// Error implements error.
func (e *ProgramError) Error() string { return e.Reason }

// AssetsDir is where assets are with a mount namespace.
const AssetsDir = "/tmp/assets"

// Report is what the init tells, one JSON object per line.
type Report struct {
	Started int    `json:"started,omitempty"` // process id of the program, in the pid namespace
	Failed  string `json:"failed,omitempty"`  // it did not start, and why
	Program bool   `json:"program,omitempty"` // the program itself is to blame for that
	Layer   string `json:"layer,omitempty"`   // which does not hold, if it failed for that
	Exited  bool   `json:"exited,omitempty"`
	Status  int    `json:"status,omitempty"` // as wait(2) gives it
	CPU     int64  `json:"cpu,omitempty"`    // nanoseconds, of all processes that were waited for
	MaxRSS  int64  `json:"max_rss,omitempty"`
	Tried   bool   `json:"tried,omitempty"`
}

// Orders that the init takes, one byte each. The end of the stream is [OrderKill].
const (
	OrderTerm = 'T' // ask the program to end
	OrderKill = 'K' // kill all of it
)
