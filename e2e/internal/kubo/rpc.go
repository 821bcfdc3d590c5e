package kubo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Add stores a file, by the command that people use, and returns its CID.
func (n *Node) Add(ctx context.Context, file string) (string, error) {
	return n.Do(ctx, "add", "--quieter", "--progress=false", file)
}

// Pin returns when all of cid is here.
func (n *Node) Pin(ctx context.Context, cid string) error {
	return n.call(ctx, nil, "pin/add", url.Values{"arg": {cid}})
}

// Sent is how many bytes of blocks the node has given to others.
func (n *Node) Sent(ctx context.Context) (int64, error) {
	var stat struct{ DataSent int64 }
	err := n.call(ctx, &stat, "bitswap/stat", nil)
	return stat.DataSent, err
}

// Connect makes a connection to another node.
func (n *Node) Connect(ctx context.Context, other *Node) error {
	var id struct{ Addresses []string }
	if err := other.call(ctx, &id, "id", nil); err != nil {
		return err
	}
	if len(id.Addresses) == 0 {
		return fmt.Errorf("ipfs in %s has no address", other.dir)
	}
	return n.call(ctx, nil, "swarm/connect", url.Values{"arg": id.Addresses[:1]})
}

const maxReply = 1 << 20

// call asks the daemon's RPC and decodes the answer into out, unless that is nil.
func (n *Node) call(ctx context.Context, out any, command string, args url.Values) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.api+"/api/v0/"+command+"?"+args.Encode(), nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	switch {
	case err != nil:
		return fmt.Errorf("ipfs %s: %w", command, err)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("ipfs %s: %s: %s", command, resp.Status, strings.TrimSpace(string(b)))
	case out == nil:
		return nil
	}
	return json.Unmarshal(b, out)
}
