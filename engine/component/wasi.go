package component

import (
	"context"
	"fmt"
	"sync"

	"github.com/realm-mesh/realm/engine/component/wit"
	"github.com/realm-mesh/realm/engine/wasi"
)

// functions are those of WASI.
var functions = sync.OnceValue(wasi.Functions)

// destructors are those of the resources of WASI.
var destructors = sync.OnceValues(func() (map[*wit.Resource]func(context.Context, uint32) error, error) {
	in, err := host()
	if err != nil {
		return nil, err
	}
	out := map[*wit.Resource]func(context.Context, uint32) error{}
	for iface, resources := range wasi.Resources() {
		for name, drop := range resources {
			r := in.resource(iface, name)
			if r == nil {
				return nil, fmt.Errorf("resource %s of %s is in no interface", name, iface)
			}
			out[r] = func(ctx context.Context, rep uint32) error { return drop(ctx, of(ctx).guest, rep) }
		}
	}
	return out, nil
})
