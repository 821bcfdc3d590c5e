package node

import "context"

// Peers is what realm peers --json says.
type Peers struct {
	Peers   []Peer   // that are, or were lately, connected somewhere
	Members []Member // by what the owner has signed
}

// Member is how a node stands in the realm.
type Member struct{ Peer, Standing string }

// Peer is one member as a node sees it.
type Peer struct {
	Peer      string
	Self      bool
	Connected bool
	Live      bool
	Roles     []string
	Addrs     []string
	Conflict  []string // addresses of nodes that use its key at the same time
	Down      []string // daemons of its node that are down
}

// Peers asks the node whom it knows.
func (n *Node) Peers(ctx context.Context) (Peers, error) {
	var p Peers
	err := n.JSON(ctx, &p, "peers")
	return p, err
}

// Live counts the others that are up, whether or not the node reaches them itself.
func (p Peers) Live() int {
	count := 0
	for _, m := range p.Peers {
		if m.Live && !m.Self {
			count++
		}
	}
	return count
}

// Connected counts the others that the node is connected to.
func (p Peers) Connected() int {
	count := 0
	for _, m := range p.Peers {
		if m.Connected && !m.Self {
			count++
		}
	}
	return count
}
