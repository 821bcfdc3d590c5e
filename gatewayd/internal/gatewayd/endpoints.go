package gatewayd

import (
	"context"
	"net/http"

	"github.com/realm-mesh/realm/api"
)

// routes puts the public handler on the daemon's socket. The home's token stands in
// for the Host check there.
func (d *Daemon) routes(mux *http.ServeMux) {
	mux.Handle("/", d.public)
}

// ps asks the launcher how the daemons are.
func (d *Daemon) ps(ctx context.Context) (*api.PSReply, error) {
	reply := new(api.PSReply)
	err := d.env.Bus.Request(ctx, api.SubjectPS, api.Empty{}, reply)
	return reply, err
}
