package content

import (
	"fmt"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/realm-mesh/realm/api"
)

// refreshEvery is how often the DHT looks for members that it does not know.
const refreshEvery = 2 * time.Minute

// NewDHT makes the realm's DHT on h, which must not listen yet. Every member
// serves it; private addresses are as good as public ones; it keeps provider
// records only.
func NewDHT(h host.Host, realm api.RealmID) (*dht.IpfsDHT, error) {
	d, err := dht.New(h,
		dht.Mode(dht.ModeServer),
		dht.ProtocolPrefix(protocol.ID(api.ProtocolDHT(realm))),
		dht.RoutingTableRefreshPeriod(refreshEvery),
		dht.RoutingTableRefreshQueryTimeout(lookupTimeout*10),
		dht.DisableValues(),
	)
	if err != nil {
		return nil, fmt.Errorf("join DHT: %w", err)
	}
	return d, nil
}
