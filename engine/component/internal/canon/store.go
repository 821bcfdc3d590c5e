package canon

import (
	"context"
	"errors"

	"github.com/tetratelabs/wazero/api"

	"github.com/realm-mesh/realm/engine/component/wit"
)

// Meter is charged for what the host does for guests.
type Meter interface {
	// Charge counts n units of fuel. Its error, such as that fuel or time has ended, ends
	// the call. It is asked again and again while much is done.
	Charge(ctx context.Context, n uint64) error
}

// Config is what a Store runs with. What is zero is as the constants say.
type Config struct {
	// Meter may be nil: nothing is charged.
	Meter Meter
	// Bytes bounds what the values that a call lifts take of Go's memory, about, with those of
	// the calls within it.
	Bytes int64
	// Handles bounds how many handles all instances together have at a time.
	Handles int
	// Depth bounds how many calls of guests may be within each other.
	Depth int
	// Host has the destructors of the host's resources, which may be nil. It is only read.
	// Their errors end the guest that drops one.
	Host map[*wit.Resource]func(ctx context.Context, rep uint32) error
}

// What a Config has that says nothing else.
const (
	DefaultBytes   = 64 << 20
	DefaultHandles = 1 << 16
	DefaultDepth   = 64
)

// Store is a running component: its instances and what they share.
type Store struct {
	config    Config
	instances []*Instance
	resources map[*wit.Resource]resource
	handles   int
	bytes     int64 // of values
	depth     int
	closed    bool
	frames    []*frame // that are not in use
}

// resource is what a guest said of a resource that it defines.
type resource struct {
	impl *Instance
	dtor api.Function
}

// NewStore returns a Store without instances.
func NewStore(c Config) *Store {
	if c.Bytes <= 0 {
		c.Bytes = DefaultBytes
	}
	if c.Handles <= 0 {
		c.Handles = DefaultHandles
	}
	if c.Depth <= 0 {
		c.Depth = DefaultDepth
	}
	return &Store{config: c}
}

// Drop ends a handle that the host has: an own's destructor runs, in the guest if the
// guest defined it. That fails while the guest is in a call. Nothing is done for a borrow.
func (s *Store) Drop(ctx context.Context, h wit.Handle) error {
	if !h.Own {
		return nil
	}
	if s.closed {
		return errClosed
	}
	return s.destroy(ctx, nil, h.Resource, h.Rep)
}

var errClosed = errors.New("the component has ended")

// Close ends what the guests still have of the host's resources, and lets no call begin.
// Guests do not run in it. It must not be called while a call is under way.
func (s *Store) Close(ctx context.Context) {
	if s.closed {
		return
	}
	s.closed = true
	for _, i := range s.instances {
		for _, h := range i.table.entries {
			if h.own {
				_ = s.abandon(ctx, h.res, h.rep) // there is no guest any more that it could end
			}
		}
		i.table = table{}
	}
}

// abandon ends a resource that nobody will, without a guest: if it is the host's.
func (s *Store) abandon(ctx context.Context, r *wit.Resource, rep uint32) error {
	if dtor := s.config.Host[r]; dtor != nil {
		return dtor(ctx, rep)
	}
	return nil
}

// destroy runs the destructor of a resource whose last owner is caller; nil: the host.
func (s *Store) destroy(ctx context.Context, caller *Instance, r *wit.Resource, rep uint32) error {
	def, guest := s.resources[r]
	if !guest {
		return s.abandon(ctx, r, rep)
	}
	return s.within(ctx, caller, def.impl, func() error {
		if def.dtor == nil {
			return nil
		}
		f := s.frame(def.impl, nil)
		f.stack[0] = uint64(rep)
		if err := def.dtor.CallWithStack(ctx, f.stack[:]); err != nil {
			return err
		}
		s.free(f)
		return nil
	})
}

// within runs call in an instance that caller enters. After an error, whatever was
// entered stays so: it cannot be entered again.
func (s *Store) within(ctx context.Context, caller, callee *Instance, call func() error) error {
	if err := s.enter(ctx, caller, callee); err != nil {
		return err
	}
	if err := call(); err != nil {
		s.depth--
		callee.poisoned = true
		return err
	}
	s.leave(caller, callee)
	return nil
}

func (s *Store) enter(ctx context.Context, caller, callee *Instance) error {
	if s.closed {
		return errClosed
	}
	if err := s.charge(ctx, callFuel); err != nil {
		return err
	}
	if s.depth >= s.config.Depth {
		return trapf("calls of components are nested deeper than %d", s.config.Depth)
	}
	outer := callee.common(caller)
	if callee.poisoned {
		return trap("a component instance is entered that trapped before")
	}
	for i := callee; i != outer; i = i.parent {
		if i.entered {
			return trap("a component instance is entered that is entered already, or trapped before")
		}
	}
	for i := callee; i != outer; i = i.parent {
		i.entered = true
	}
	s.depth++
	return nil
}

func (s *Store) leave(caller, callee *Instance) {
	s.depth--
	for i, outer := callee, callee.common(caller); i != outer; i = i.parent {
		i.entered = false
	}
}
