package p2p

// Standing is what a peer is to this node, from its proof of membership.
type Standing int

// The standings, each with what it allows.
const (
	Stranger Standing = iota // no connection
	Guest                    // the protocols in [Config.GuestProtocols], for a short time
	Member                   // everything
)

func (s Standing) String() string {
	switch s {
	case Member:
		return "member"
	case Guest:
		return "guest"
	default:
		return "stranger"
	}
}
