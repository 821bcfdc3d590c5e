package kubo

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
)

// NewKey makes the key of a private network.
func NewKey() string {
	var b [32]byte
	rand.Read(b[:])
	return "/key/swarm/psk/1.0.0/\n/base16/\n" + hex.EncodeToString(b[:]) + "\n"
}

// section is a JSON object of kubo's configuration.
type section = map[string]any

// configure keeps a node to loopback and to those that it is connected to.
func configure(file string, private bool) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var cfg section
	if err := json.Unmarshal(b, &cfg); err != nil {
		return fmt.Errorf("read ipfs's config: %w", err)
	}
	swarm := []string{"/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"}
	if private {
		swarm = swarm[1:]
	}
	for key, value := range map[string]any{
		"Addresses": section{"Swarm": swarm, "API": "/ip4/127.0.0.1/tcp/0", "Gateway": "/ip4/127.0.0.1/tcp/0"},
		"Bootstrap": []string{},
		"Discovery": section{"MDNS": section{"Enabled": false}},
		"AutoConf":  section{"Enabled": false}, // and what it would fill in:
		"DNS":       section{"Resolvers": section{}},
		"Ipns":      section{"DelegatedPublishers": []string{}},
		"Routing":   section{"Type": "dht", "DelegatedRouters": []string{}},
		"AutoTLS":   section{"Enabled": false},
	} {
		cfg[key] = value
	}
	if b, err = json.MarshalIndent(cfg, "", "  "); err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o600)
}
