package elab

import (
	"github.com/realm-mesh/realm/engine/component/internal/binary"
	"github.com/realm-mesh/realm/engine/component/wit"
)

// canon adds a function that was lifted, or one of the host for core modules.
func (e *elaboration) canon(s *scope, d *binary.Canon) {
	if d.Op == binary.Lift {
		s.add(binary.Func, &Func{Type: at[*wit.Func](s, binary.Type, d.Type), Core: at[*Item](s, binary.CoreFunc, d.Func),
			Instance: s.self, Options: options(s, &d.Options)})
		return
	}
	e.limit(len(e.plan.Hosts), e.caps.Hosts, "functions of its host")
	h := &Host{Op: d.Op, Instance: s.self}
	if d.Op == binary.Lower {
		h.Func, h.Options = at[*Func](s, binary.Func, d.Func), options(s, &d.Options)
		if h.Func != nil && !h.Func.Imported() {
			e.limit(e.calls, e.caps.Calls, "functions that lead from one component into another")
			e.calls++
		}
	} else {
		h.Resource = at[*wit.Resource](s, binary.Type, d.Type)
	}
	e.plan.Hosts = append(e.plan.Hosts, h)
	s.add(binary.CoreFunc, e.item(Item{Step: -1, Host: len(e.plan.Hosts) - 1}))
}

func options(s *scope, o *binary.Options) Options {
	item := func(sort binary.Sort, i *uint32) *Item {
		if i == nil {
			return nil
		}
		return at[*Item](s, sort, *i)
	}
	return Options{o.Encoding, item(binary.CoreMemory, o.Memory), item(binary.CoreFunc, o.Realloc), item(binary.CoreFunc, o.PostReturn)}
}
