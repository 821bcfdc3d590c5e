package supervisor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
)

// Program is what to run under a name.
type Program struct {
	Name api.Daemon
	Path string
	Args []string
	Env  []string // all of it
	Dir  string   // working folder
}

// LogFunc takes what the processes write, line by line, from several goroutines.
type LogFunc func(api.Daemon, api.LogLine)

// outputGrace is how long output is read on after a process has ended; only what
// has left its process group could still hold the pipes open.
const outputGrace = time.Second

// process is a child that has been started.
type process struct {
	cmd      *exec.Cmd
	lifeline io.Closer
	words    lastWords
	exited   chan struct{} // closed when it has ended and its output is read
}

// start runs p. What the process writes goes to log.
func start(p Program, log LogFunc) (*process, error) {
	c := &process{cmd: exec.Command(p.Path, p.Args...), exited: make(chan struct{})} //nolint:noctx // its keeper ends it
	c.cmd.Env, c.cmd.Dir = p.Env, p.Dir
	setGroup(c.cmd)
	lifeline, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.Name, err)
	}
	c.lifeline = lifeline
	// Pipes of our own: those of os/exec would make Wait wait for whoever inherited them.
	stdout, outEnd, err1 := os.Pipe()
	stderr, errEnd, err2 := os.Pipe()
	err = errors.Join(err1, err2)
	if err == nil {
		c.cmd.Stdout, c.cmd.Stderr = outEnd, errEnd
		err = c.cmd.Start()
	}
	closeAll(outEnd, errEnd) // the child has its own
	if err != nil {
		closeAll(stdout, stderr)
		lifeline.Close()
		return nil, fmt.Errorf("start %s: %w", p.Name, err)
	}
	var reading sync.WaitGroup
	for name, r := range map[string]*os.File{"stdout": stdout, "stderr": stderr} {
		reading.Go(func() {
			readLines(r, func(line string) {
				c.words.add(line)
				log(p.Name, api.LogLine{Time: time.Now(), Stream: name, Line: line})
			})
		})
	}
	go c.reap(&reading, stdout, stderr)
	return c, nil
}

// reap waits for the end of the process, takes along what it leaves in its group,
// and lets its output be read to the end.
func (c *process) reap(reading *sync.WaitGroup, outputs ...*os.File) {
	defer close(c.exited)
	_ = c.cmd.Wait() // ProcessState tells
	killGroup(c.pid())
	cut := time.AfterFunc(outputGrace, func() { closeAll(outputs...) })
	reading.Wait()
	cut.Stop()
	closeAll(outputs...)
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

func (c *process) pid() int { return c.cmd.Process.Pid }

// kill ends the process at once; reap takes the rest of its group.
func (c *process) kill() { _ = c.cmd.Process.Kill() } // fails only if it has ended

// end asks the process to end, and kills it after grace or when now is closed. It
// returns when the process has ended.
func (c *process) end(grace time.Duration, now <-chan struct{}) {
	c.terminate()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-c.exited:
		return
	case <-timer.C:
	case <-now:
	}
	c.kill()
	<-c.exited
}

// exitCode is that of a process that has exited, -1 after a signal.
func (c *process) exitCode() int { return c.cmd.ProcessState.ExitCode() }

// obituary says for people how an exited process ended.
func (c *process) obituary() string {
	how := c.cmd.ProcessState.String()
	// What it wrote last tells why it gave up, but not why somebody else killed it.
	if words := c.words.reason(); words != "" && c.exitCode() > 0 {
		how += ": " + words
	}
	return clip(how)
}
