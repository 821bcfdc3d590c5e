package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/realm/internal/keyagent"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// ownerView is the owner key of this account in JSON.
type ownerView struct {
	Key   keys.Public `json:"key"`
	Realm api.RealmID `json:"realm"`
	File  string      `json:"file"`
	// The file is encrypted: it signs while it is unlocked, or with its passphrase.
	Passphrase    bool       `json:"passphrase"`
	UnlockedUntil *time.Time `json:"unlocked_until,omitempty"`
}

// viewOwner tells what is known of k without opening it.
func viewOwner(k owner.Key) ownerView {
	v := ownerView{Key: k.Public(), Realm: k.Realm(), File: k.Path, Passphrase: k.Sealed()}
	if v.Passphrase {
		// An agent that does not answer as it should is one that cannot sign.
		if until, err := unlockedUntil(k); err == nil {
			v.UnlockedUntil = &until
		}
	}
	return v
}

func unlockedUntil(k owner.Key) (time.Time, error) {
	agent, err := k.Agent()
	if err != nil {
		return time.Time{}, err
	}
	return agent.Until(k.Public())
}

// state is what a person reads about the passphrase.
func (v ownerView) state() string {
	switch {
	case !v.Passphrase:
		return "without a passphrase"
	case v.UnlockedUntil == nil:
		return "locked"
	}
	return "unlocked until " + clockText(*v.UnlockedUntil)
}

// clockText is a time of this day or the next.
func clockText(t time.Time) string { return t.Local().Format("Mon 15:04:05") }

func newKey(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "key",
		Short: "Your owner key: lock, unlock, back up, restore, rotate",
		Long: `The owner key of this account, in $REALM_OWNER_KEY or the platform's configuration
folder. Its public half is no secret. The private half signs what your nodes do;
a passphrase encrypts it on disk.`,
		Example: `  realm key show
  realm key passphrase
  realm key unlock --for 1h`,
	}, newKeyShow(a), newKeyPassphrase(a), newKeyUnlock(a), newKeyLock(a), newKeyBackup(a), newKeyRestore(a), newKeyRotate(a), newKeyAgent(a))
}

func newKeyShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Print the public half of your owner key",
		Long: `Print the public half of the owner key of this account. It is no secret: nodes are
told to follow it. Whether the private half is locked is told beside it.`,
		Example: `  realm key show
  realm configure --owner "$(realm key show)"`,
		Args: arguments(),
		RunE: func(*cobra.Command, []string) error {
			k, err := owner.Load()
			if err != nil {
				return err
			}
			v := viewOwner(k)
			return a.print(v, func() {
				fmt.Fprintln(a.out, v.Key)
				if v.Passphrase {
					a.note("%s is %s.", v.File, v.state())
				}
			})
		},
	}
}

// ownerKey is the key of this account. Where it is locked, its passphrase is asked
// for when there is something to sign, once in a command.
func (a *app) ownerKey(ctx context.Context) (owner.Key, error) {
	k, err := owner.Load()
	if err != nil {
		return owner.Key{}, err
	}
	if a.key == nil || a.key.Path != k.Path || a.key.Public() != k.Public() {
		open := k.OrOpen(func() (owner.Secret, error) { return a.openKey(ctx, k) })
		a.key = &open
	}
	return *a.key, nil
}

// endAgent ends what holds k unlocked, where that is of no use any more.
func endAgent(k owner.Key) (was bool, err error) {
	agent, err := k.Agent()
	if err != nil {
		return false, err
	}
	was, err = agent.Lock()
	if errors.Is(err, keyagent.ErrNotRunning) {
		return false, nil
	}
	return was, err
}
