package meshd

import (
	"context"
	"reflect"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/policy"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/meshd/internal/node"
)

// policyEvery is how often the machine's policy is read, and emulators are looked for:
// neither tells when it changes.
const policyEvery = time.Second

// powers is what jobs may do here. Of a policy that cannot be read, nothing.
func (d *Daemon) powers() api.Powers {
	p, err := policy.Read(d.env.Home.Policy())
	if err != nil {
		d.env.Log.Warn("jobs may do nothing here", telemetry.Error(err))
	}
	return p.Powers()
}

// watchPolicy tells others when jobs may do more here, or less.
func (d *Daemon) watchPolicy(n *node.Node) func(context.Context) error {
	return func(ctx context.Context) error {
		t := time.NewTicker(policyEvery)
		defer t.Stop()
		failed := ""
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-t.C:
			}
			p, err := policy.Read(d.env.Home.Policy())
			if err != nil && err.Error() != failed { // not each second
				d.env.Log.Warn("jobs may do nothing here", telemetry.Error(err))
				failed = err.Error()
			}
			if powers := p.Powers(); !reflect.DeepEqual(powers, n.Table().Me().Powers) {
				n.Table().ChangePeer(func(me *api.PeerFact) { me.Powers = powers })
			}
		}
	}
}
