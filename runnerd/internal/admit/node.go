package admit

import (
	"fmt"
	"slices"
	"sync"

	"github.com/realm-mesh/realm/api"
)

// Config is what a node gives to workloads.
type Config struct {
	MemoryMB int64      // that the caps of commands may add up to; 0: any
	Unsaid   api.Limits // that a program has whose owner says nothing of them; zero values: those of package api
	Most     api.Limits // that an owner may give; zero values: any
	Mounts   []string   // absolute paths: what lies below may be mounted
	// Private are absolute paths of what no workload may see. They need not exist.
	Private []string
}

// Node decides for one node. It is safe for use by several goroutines.
type Node struct {
	Config

	mu    sync.Mutex
	takes map[api.Ref][]int64 // MiB that each admitted version of a command may take
}

// New returns a node that has admitted nothing.
func New(c Config) *Node { return &Node{Config: c, takes: map[api.Ref][]int64{}} }

// Admit takes of the node what w needs for as long as it is here, until release is
// called (once or more often). An error says for people why this node cannot take w,
// and what to do.
//
// While one version takes the place of another, both are admitted under the same ref:
// they count as much as the larger of them.
func (n *Node) Admit(ref api.Ref, w api.Workload) (release func(), err error) {
	c, ok := w.(*api.Component)
	if !ok {
		return func() {}, nil
	}
	_, closeAll, err := n.Open(slices.DeleteFunc(slices.Clone(c.Mounts), func(m api.Mount) bool { return m.Kind != api.MountHost }))
	if err != nil {
		return nil, err
	}
	closeAll()
	if c.Interface != api.InterfaceCommand {
		return func() {}, nil
	}
	return n.takeMemory(ref, capMB(c.Module.Limits))
}

// capMB is how much memory a program may take at most, in MiB.
func capMB(l api.Limits) int64 {
	if l.MemoryMaxMB == 0 {
		return api.DefaultMemoryMB
	}
	return int64(l.MemoryMaxMB)
}

func (n *Node) takeMemory(ref api.Ref, mb int64) (release func(), err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	others := n.taken() - largest(n.takes[ref])
	if n.MemoryMB > 0 && others+max(mb, largest(n.takes[ref])) > n.MemoryMB {
		return nil, fmt.Errorf("it may take %d MiB of memory, and of the %d MiB that this node has for commands %d are taken: "+
			"realm configure --capacity-mb with more on it, or give the program a smaller --memory-max-mb", mb, n.MemoryMB, others)
	}
	n.takes[ref] = append(n.takes[ref], mb)
	return sync.OnceFunc(func() { n.giveBack(ref, mb) }), nil
}

// taken is how much memory all commands may take, in MiB; n.mu is held.
func (n *Node) taken() int64 {
	var sum int64
	for _, versions := range n.takes {
		sum += largest(versions)
	}
	return sum
}

func largest(mb []int64) int64 {
	if len(mb) == 0 {
		return 0
	}
	return slices.Max(mb)
}

func (n *Node) giveBack(ref api.Ref, mb int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := slices.Index(n.takes[ref], mb)
	n.takes[ref] = slices.Delete(n.takes[ref], i, i+1)
	if len(n.takes[ref]) == 0 {
		delete(n.takes, ref)
	}
}
