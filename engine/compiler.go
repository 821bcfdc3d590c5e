package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

const (
	maxTime        = 60 * time.Second // of one compilation
	compileThreads = 4                // that it may keep busy
	maxChildren    = 2
	growth         = 6        // how many bytes of machine code a byte of module may become
	maxCache       = 2 << 30  // bytes of machine code kept
	maxStderr      = 16 << 10 // bytes of the child's complaints that are read
)

// RefusedError says that a module cannot be compiled; trying again will not help.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

// Compiler has modules compiled by children of this process, two at a time: each may take
// gigabytes, and one that is on a bomb must not keep the others waiting. A child has 4 GiB
// of address space, 60 s, and four times that of processors, may write 1 GiB, and is
// killed when that is not enough, or when this process ends.
//
// Parent and child speak through the child's streams: in, the length of the module (8
// bytes, big endian) and the module; then the pipe stays open. Out, one JSON [result].
type Compiler struct {
	// Room returns an error where a folder has no room for so many bytes more; nil: nobody
	// looks. Set it before the compiler is used.
	Room func(dir string, bytes int64) error

	program string // this very executable
	cacheAt string
	cache   Cache
	turn    chan struct{}
	timeout time.Duration
	most    int64 // bytes of machine code kept

	stock stock

	mu   sync.Mutex
	busy map[Digest]chan struct{} // closed when the child that is on it has ended
}

// NewCompiler returns a compiler that fills the cache in the folder cacheAt by running
// program, an executable that calls [Child] when its first argument is [CompileCommand].
func NewCompiler(program, cacheAt string) *Compiler {
	return &Compiler{program: program, cacheAt: cacheAt, cache: NewCache(cacheAt),
		turn: make(chan struct{}, maxChildren), timeout: maxTime, most: maxCache, busy: map[Digest]chan struct{}{}}
}

// Ensure returns once the code of a module is in the cache. Errors: a
// [*RefusedError] where the module is to blame, that of Room, or that of ctx.
func (c *Compiler) Ensure(ctx context.Context, wasm []byte) error {
	digest := Sum(wasm)
	done, err := c.claim(ctx, digest)
	if err != nil {
		return err
	}
	defer done()
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if c.cache.Has(digest) {
		c.cache.touch(digest) // or somebody else's needs may take it before it is loaded
		return nil
	}
	if err := c.makeRoom(int64(len(wasm))); err != nil {
		return err
	}
	err = c.run(ctx, wasm)
	if err == nil && !c.cache.Has(digest) {
		err = errors.New("compile: the compiler has ended without a result; look at the disk of this node")
	}
	if err != nil && !c.cache.Has(digest) { // else another process has made it
		// What is half written is of no use; why it failed says more than why it stays.
		_ = c.cache.Remove(digest)
	}
	if err != nil {
		return err
	}
	c.stock.add(c.cache, digest)
	return nil
}

// claim waits until nobody else compiles a module. The caller must call done.
func (c *Compiler) claim(ctx context.Context, digest Digest) (done func(), err error) {
	for {
		c.mu.Lock()
		other, busy := c.busy[digest]
		if !busy {
			mine := make(chan struct{})
			c.busy[digest] = mine
			c.mu.Unlock()
			return func() {
				c.mu.Lock()
				defer c.mu.Unlock()
				delete(c.busy, digest)
				close(mine)
			}, nil
		}
		c.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (c *Compiler) makeRoom(size int64) error {
	if err := os.MkdirAll(c.cache.Dir(), 0o700); err != nil {
		return fmt.Errorf("make compile cache: %w", err)
	}
	if err := c.stock.prune(c.cache, c.most); err != nil {
		return err
	}
	if c.Room == nil {
		return nil
	}
	return c.Room(c.cache.Dir(), size*growth)
}

func (c *Compiler) run(ctx context.Context, wasm []byte) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, &RefusedError{
		fmt.Sprintf("compiling it takes longer than %s: make the program, or its largest function, smaller", c.timeout)})
	defer cancel()
	cmd := exec.CommandContext(ctx, c.program, CompileCommand, c.cacheAt)
	cmd.Env = []string{"GOTRACEBACK=none"} // the child needs nothing of the node's
	cmd.WaitDelay = time.Second
	var stdout, stderr capped
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("compile: %w", err)
	}
	defer stdin.Close() // only now: its end would end the child
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("compile: %w", err)
	}
	sent := make(chan error, 1)
	go func() { sent <- send(stdin, wasm) }()
	err = cmd.Wait()
	if sendErr := <-sent; err == nil && sendErr != nil {
		err = sendErr
	}
	return c.judge(ctx, err, stdout.Bytes(), stderr.String())
}

// send writes the module; the child may end before it has read all of it.
func send(w io.Writer, wasm []byte) error {
	if err := binary.Write(w, binary.BigEndian, uint64(len(wasm))); err != nil {
		return err
	}
	_, err := w.Write(wasm)
	return err
}

// judge tells from how the child ended whether the module is to blame.
func (c *Compiler) judge(ctx context.Context, err error, stdout []byte, stderr string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil {
		var r result
		if err := json.Unmarshal(stdout, &r); err != nil {
			return fmt.Errorf("compile: %w", err)
		}
		return r.err()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && endedByOthers(exit.ProcessState) {
		return fmt.Errorf("compile: the compiler was killed (%w), perhaps for want of memory on this machine", exit)
	}
	if !errors.As(err, &exit) || exit.ExitCode() == exitUsage && strings.HasPrefix(stderr, "usage:") {
		return fmt.Errorf("compile: %w", err)
	}
	switch {
	case strings.Contains(stderr, "out of memory"), strings.Contains(stderr, "cannot allocate memory"), strings.Contains(stderr, "address space"):
		return &RefusedError{"compiling it takes too much memory: make the program, or its largest function, smaller"}
	case strings.Contains(stderr, "stack overflow"), strings.Contains(stderr, "stack exceeds"):
		return &RefusedError{"the compiler runs out of stack over it: its code is nested too deeply"}
	case stderr == "":
		return &RefusedError{fmt.Sprintf("the compiler was killed over it (%s)", exit)}
	default:
		return &RefusedError{"the compiler breaks down over it: " + firstLine(stderr)}
	}
}

func (r result) err() error {
	switch {
	case r.Failed != "":
		return fmt.Errorf("compile: %s", r.Failed)
	case r.Refused != "":
		return &RefusedError{r.Refused}
	}
	return nil
}

// capped keeps the first maxStderr bytes that are written to it.
type capped struct{ bytes.Buffer }

func (c *capped) Write(p []byte) (int, error) {
	c.Buffer.Write(p[:min(len(p), max(0, maxStderr-c.Len()))])
	return len(p), nil
}
