package canon

import "github.com/realm-mesh/realm/engine/component/wit"

// SizeAlign is how a type is in memory.
func SizeAlign(t *wit.Type) (size, align uint32, err error) {
	l, err := NewPlanner().of(t, 0)
	if err != nil {
		return 0, 0, err
	}
	return l.size, l.align, nil
}
