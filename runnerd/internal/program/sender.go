package program

import (
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/engine/wasi/outgoing"
)

// NewSender returns what sends a program's requests, to the hosts that its intent grants
// (package outgoing); nil where there are none. release closes its connections. The error is
// a [*RefusedError].
func NewSender(hosts []string) (s engine.Sender, release func(), err error) {
	if len(hosts) == 0 {
		return nil, func() {}, nil
	}
	sender, err := outgoing.New(outgoing.Config{Allow: hosts})
	if err != nil {
		return nil, func() {}, Refuse("allow_hosts: %v", err)
	}
	return sender, sender.Close, nil
}
