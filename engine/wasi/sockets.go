package wasi

import "github.com/realm-mesh/realm/engine/component/wit"

// network is a network on which nothing is allowed.
type network struct{}

func (*network) drop(*Guest) {}

// socketsDenied is access-denied.
const socketsDenied uint32 = 1

// socketMethods are the functions of resources that nobody can have.
var socketMethods = map[string]map[string][]string{
	"wasi:sockets/ip-name-lookup": {"resolve-address-stream": {"resolve-next-address", "subscribe"}},
	"wasi:sockets/tcp": {"tcp-socket": {
		"start-bind", "finish-bind", "start-connect", "finish-connect", "start-listen", "finish-listen",
		"accept", "local-address", "remote-address", "is-listening", "address-family",
		"set-listen-backlog-size", "keep-alive-enabled", "set-keep-alive-enabled",
		"keep-alive-idle-time", "set-keep-alive-idle-time", "keep-alive-interval",
		"set-keep-alive-interval", "keep-alive-count", "set-keep-alive-count", "hop-limit",
		"set-hop-limit", "receive-buffer-size", "set-receive-buffer-size", "send-buffer-size",
		"set-send-buffer-size", "subscribe", "shutdown",
	}},
	"wasi:sockets/udp": {
		"udp-socket": {
			"start-bind", "finish-bind", "stream", "local-address", "remote-address", "address-family",
			"unicast-hop-limit", "set-unicast-hop-limit", "receive-buffer-size",
			"set-receive-buffer-size", "send-buffer-size", "set-send-buffer-size", "subscribe",
		},
		"incoming-datagram-stream": {"receive", "subscribe"},
		"outgoing-datagram-stream": {"check-send", "send", "subscribe"},
	},
}

func socketFunctions() map[string]map[string]Function {
	denied := plain(func(*call) (any, error) { return wit.Error(socketsDenied), nil })
	out := map[string]map[string]Function{
		"wasi:sockets/network": {},
		"wasi:sockets/instance-network": {"instance-network": plain(func(c *call) (any, error) {
			return c.g.own(&network{}, 0)
		})},
		"wasi:sockets/ip-name-lookup":    {"resolve-addresses": denied},
		"wasi:sockets/tcp":               {},
		"wasi:sockets/tcp-create-socket": {"create-tcp-socket": denied},
		"wasi:sockets/udp":               {},
		"wasi:sockets/udp-create-socket": {"create-udp-socket": denied},
	}
	for face, resources := range socketMethods {
		for resource, names := range resources {
			for _, name := range names {
				out[face]["[method]"+resource+"."+name] = method(func(*call, *never) (any, error) {
					return nil, trap("there are no sockets")
				})
			}
		}
	}
	return out
}

func socketResources() map[string]map[string]Destructor {
	out := map[string]map[string]Destructor{"wasi:sockets/network": {"network": drops[*network]}}
	for face, resources := range socketMethods {
		out[face] = map[string]Destructor{}
		for resource := range resources {
			out[face][resource] = drops[*never]
		}
	}
	return out
}
