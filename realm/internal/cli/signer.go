package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// signer is who may change what runs on a node: the owner's key of this account, or
// one that holds a grant, and the pin that the node checks it with.
type signer struct {
	owner.Signer
	pin trust.Pin
}

// envGrant names the file of --grant.
const envGrant = "REALM_GRANT"

// newSigner makes sure, before anything is sent, that the node will listen, and
// that the key can sign: this is where a person is asked for its passphrase.
func (a *app) newSigner(ctx context.Context, n *node.Node) (signer, error) {
	key, err := a.ownerKey(ctx)
	if err != nil {
		return signer{}, err
	}
	return a.signerOf(ctx, n, key)
}

// signerOf is [app.newSigner] for a key.
func (a *app) signerOf(ctx context.Context, n *node.Node, key owner.Key) (signer, error) {
	pin, err := readPin(n)
	if err != nil {
		return signer{}, err
	}
	l, err := n.Ledger(ctx, pin)
	if err != nil {
		return signer{}, err
	}
	if err := a.addGrant(l, n); err != nil { //nolint:contextcheck // reading an intent waits for nothing
		return signer{}, err
	}
	s, err := owner.NewSigner(key, pin.Realm, l, n.Now())
	if errors.Is(err, owner.ErrOtherOwner) {
		if _, begun, _ := key.Begun(); begun { // a file that cannot be read is told by key rotate
			return signer{}, fmt.Errorf("%w. A rotation to your key was begun and not finished: realm key rotate --resume", err)
		}
	}
	if err != nil {
		return signer{}, err
	}
	return signer{s, pin}, key.Ready()
}

// ownerSigner is [app.newSigner] for what only the owner may do, with all that the
// node holds.
func (a *app) ownerSigner(ctx context.Context, n *node.Node) (signer, *ledger.Ledger, error) {
	key, err := a.ownerKey(ctx)
	if err != nil {
		return signer{}, nil, err
	}
	return a.ownerSignerOf(ctx, n, key)
}

// ownerSignerOf is [app.ownerSigner] for a key.
func (a *app) ownerSignerOf(ctx context.Context, n *node.Node, key owner.Key) (signer, *ledger.Ledger, error) {
	s, err := a.signerOf(ctx, n, key)
	if err == nil {
		err = s.MustOwn()
	}
	if err != nil {
		return s, nil, err
	}
	l, err := n.WholeLedger(ctx, s.pin)
	return s, l, err
}

func readPin(n *node.Node) (trust.Pin, error) {
	pin, err := trust.ReadPin(n.Home.Pin())
	if errors.Is(err, trust.ErrUnclaimed) {
		return pin, fmt.Errorf("the node in %s was brought up before there was an owner key: start it again, and it follows yours: realm down, then realm up", n.Home.Root())
	}
	return pin, err
}

// addGrant adds the grant of --grant to what a node holds, which may not have heard of it.
func (a *app) addGrant(l *ledger.Ledger, n *node.Node) error {
	g, err := a.readGrant()
	if err != nil || g == nil {
		return err
	}
	if _, err := l.Add(*g, n.Now()); err != nil {
		return fmt.Errorf("--grant: %w", err)
	}
	return nil
}

// readGrant reads the grant that was given with --grant or in the environment; nil
// for none.
func (a *app) readGrant() (*intent.Signed, error) {
	path := orElse(a.grantFile, os.Getenv(envGrant))
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("--grant: %w", err)
	}
	defer f.Close()
	raw, err := api.ReadAll(f, api.MaxEnvelope)
	if err != nil {
		return nil, fmt.Errorf("--grant %s: %w", path, err)
	}
	g, err := intent.Read(raw)
	switch {
	case err != nil:
		return nil, fmt.Errorf("--grant %s: %w: want a file that realm grant --out wrote", path, err)
	case g.Kind != api.KindGrant || g.Tombstone:
		return nil, fmt.Errorf("--grant %s: it is about %s, and no grant", path, g.Ref)
	}
	return &g, nil
}
