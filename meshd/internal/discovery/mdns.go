package discovery

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

const (
	mdnsRetry  = 30 * time.Second // after a start that failed, if no address changes before
	mdnsSettle = 2 * time.Second  // addresses change in bursts
)

// runMDNS announces this node on the local network and listens for others. The
// announcement is made anew when the node's addresses have changed.
func (f *Finder) runMDNS(ctx context.Context) error {
	sub, err := f.cfg.Host.EventBus().Subscribe(new(event.EvtLocalAddressesUpdated), eventbus.Name("mdns"))
	if err != nil {
		return fmt.Errorf("find members by mDNS: %w", err)
	}
	defer sub.Close() // fails only when closed twice
	for ctx.Err() == nil {
		before := f.interfaces()
		s := mdns.NewMdnsService(f.cfg.Host, api.MDNSService, found{f})
		err := s.Start()
		if err != nil {
			f.cfg.Log.Warn("no discovery on the local network for now", telemetry.Error(err))
		}
		f.untilAddrsChange(ctx, sub, before, err != nil)
		_ = s.Close() // never fails
	}
	return nil
}

// interfaces are the addresses that mDNS announces.
func (f *Finder) interfaces() []ma.Multiaddr {
	addrs, err := f.cfg.Host.Network().InterfaceListenAddresses()
	if err != nil { // the next event asks again
		return nil
	}
	return addrs
}

// untilAddrsChange waits for addresses other than before, or for a while if a
// retry is due anyhow.
func (f *Finder) untilAddrsChange(ctx context.Context, sub event.Subscription, before []ma.Multiaddr, failed bool) {
	var retry, settled <-chan time.Time
	if failed {
		retry = time.After(mdnsRetry)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-retry:
			return
		case <-sub.Out():
			settled = time.After(mdnsSettle)
		case <-settled:
			if !slices.EqualFunc(before, f.interfaces(), ma.Multiaddr.Equal) {
				return
			}
			settled = nil
		}
	}
}

// found takes what mDNS has found.
type found struct{ f *Finder }

// HandlePeerFound implements [mdns.Notifee].
func (n found) HandlePeerFound(ai peer.AddrInfo) {
	if _, err := api.ParsePeerID(ai.ID.String()); err != nil {
		return
	}
	n.f.Hear(ai.ID, ai.Addrs)
}
