//go:build !linux

package shim

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/realm-mesh/realm/runnerd/internal/native"
)

// plain is a job that nothing keeps in but the end of its process group, where there is one.
type plain struct {
	cmd  *exec.Cmd
	done chan ended
}

// begin starts the program of a Spec.
func (s *shim) begin() (job, error) {
	st, spec := &s.state, &s.spec
	st.WorkDir, st.Confinement = spec.WorkDir, *spec.Machine
	base := filepath.Join(spec.Dir, "private")
	st.Temporary = []string{base}
	tmp, assets := filepath.Join(base, "tmp"), filepath.Join(base, "assets")
	for _, dir := range []string{base, tmp, assets} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make the program's folders: %w", err)
		}
	}
	for _, a := range spec.Assets {
		if err := os.Symlink(a.Path, filepath.Join(assets, a.Name)); err != nil {
			return nil, errors.Join(fmt.Errorf("asset %s: %w", a.Name, err), s.clean())
		}
	}
	j, err := s.start(native.Environment(spec, tmp, assets))
	if err != nil {
		return nil, errors.Join(err, s.clean())
	}
	st.Init = j.cmd.Process.Pid
	if err := native.WriteState(spec.Dir, *st); err != nil {
		j.kill(true)
		<-j.done
		return nil, errors.Join(err, s.clean())
	}
	return j, nil
}

func (s *shim) start(env []string) (*plain, error) {
	stdout, err := s.out.pipe("stdout")
	if err != nil {
		return nil, err
	}
	defer stdout.Close()
	stderr, err := s.out.pipe("stderr")
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	cmd := exec.Command(s.spec.Argv[0], s.spec.Argv[1:]...) //nolint:noctx // watch ends it
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = filepath.Join(s.spec.WorkDir, s.spec.Cwd), env, stdout, stderr
	native.Group(cmd)
	if err := cmd.Start(); err != nil {
		return nil, &native.ProgramError{Reason: fmt.Sprintf("start %s: %s", s.spec.Argv[0], err)}
	}
	j := &plain{cmd, make(chan ended, 1)}
	go j.wait()
	return j, nil
}

func (j *plain) wait() {
	_ = j.cmd.Wait() // ProcessState tells
	native.KillGroup(j.cmd.Process.Pid)
	p := j.cmd.ProcessState
	e := ended{code: p.ExitCode(), cpu: p.UserTime() + p.SystemTime()}
	if e.code < 0 {
		e.signal = p.String()
	}
	j.done <- e
}

func (j *plain) ended() <-chan ended              { return j.done }
func (j *plain) term()                            { native.EndGroup(j.cmd.Process.Pid) }
func (j *plain) excess() (native.Ending, string)  { return "", "" }
func (j *plain) verdict() (native.Ending, string) { return "", "" }

func (j *plain) kill(bool) {
	native.KillGroup(j.cmd.Process.Pid)
	_ = j.cmd.Process.Kill() // it may have ended
}

func (s *shim) clean() error { return s.state.Clean() }
