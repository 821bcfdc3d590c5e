package api

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// Secret is the body of a [KindSecret] intent: a value that only members which the intent's
// target matches can read, sealed in two steps. Data is an age file for the key pair of this
// one version; what is in it names the realm and the secret, so that it is of no use under
// another name. Keys holds the private half of the pair, for each member that the target
// matched when it was signed, as an age file for the member's own key. Members that come
// later get it from one that has it, who checks that they are members and are meant.
type Secret struct {
	Recipient string      `json:"recipient"` // public half, as age writes it
	Data      []byte      `json:"data"`
	Keys      []SecretKey `json:"keys"`
	Bytes     int         `json:"bytes"` // length of the value, for people
}

// SecretKey is the private half of a secret's key pair, for one member.
type SecretKey struct {
	Peer   PeerID `json:"peer"`
	Sealed []byte `json:"sealed"`
}

// Caps of a secret.
const (
	MaxSecret       = 16 << 10 // bytes of a value
	MaxSecretKeys   = 32       // members it is sealed to by who signs it; they pass it on to others
	maxSecretData   = MaxSecret + 2<<10
	maxSecretSealed = 1 << 10
	maxRecipient    = 128
	MaxSecretUses   = 32 // of one component
)

// Validate implements [Validator].
func (s *Secret) Validate() error {
	switch {
	case s.Recipient == "" || len(s.Recipient) > maxRecipient || !plain(s.Recipient):
		return errors.New("secret: recipient is missing or too long")
	case len(s.Data) == 0 || len(s.Data) > maxSecretData:
		return fmt.Errorf("secret: data of %d bytes: want at most %d", len(s.Data), maxSecretData)
	case len(s.Keys) == 0 || len(s.Keys) > MaxSecretKeys:
		return fmt.Errorf("secret: sealed to %d members: want 1 to %d", len(s.Keys), MaxSecretKeys)
	case s.Bytes < 0 || s.Bytes > MaxSecret:
		return fmt.Errorf("secret: %d bytes: at most %d", s.Bytes, MaxSecret)
	}
	seen := map[PeerID]bool{}
	for _, k := range s.Keys {
		if _, err := ParsePeerID(string(k.Peer)); err != nil {
			return fmt.Errorf("secret: %w", err)
		}
		if len(k.Sealed) == 0 || len(k.Sealed) > maxSecretSealed || seen[k.Peer] {
			return fmt.Errorf("secret: the key for %s is missing, too long, or there twice", k.Peer.Short())
		}
		seen[k.Peer] = true
	}
	return nil
}

// SecretUse gives a secret to a program: as a variable of its environment, or as a file.
type SecretUse struct {
	Name Name   `json:"name"`
	Env  string `json:"env,omitempty"`
	File string `json:"file,omitempty"` // absolute path as the program sees it, with slashes; kept in memory
}

// Validate implements [Validator].
func (u *SecretUse) Validate() error {
	if _, err := ParseName(string(u.Name)); err != nil {
		return fmt.Errorf("secret: %w", err)
	}
	switch {
	case (u.Env == "") == (u.File == ""):
		return fmt.Errorf("secret %s: want env or file", u.Name)
	case len(u.Env) > maxPath || len(u.File) > maxPath || !utf8.ValidString(u.Env+u.File):
		return fmt.Errorf("secret %s: env or file is too long, or no UTF-8", u.Name)
	case strings.ContainsAny(u.Env, "=\x00") || strings.ContainsRune(u.File, 0):
		return fmt.Errorf("secret %s: env without '=', and no NULs", u.Name)
	case u.File != "" && (!path.IsAbs(u.File) || path.Clean(u.File) != u.File || path.Dir(u.File) == "/"):
		return fmt.Errorf("secret %s: file %.80q: want an absolute path with slashes, in a folder, with no . or .. in it", u.Name, u.File)
	}
	return nil
}

// validateSecrets checks each, and that no two want the same place.
func (c *Component) validateSecrets() error {
	if len(c.Secrets) > MaxSecretUses {
		return fmt.Errorf("%d secrets: at most %d", len(c.Secrets), MaxSecretUses)
	}
	taken := map[string]bool{}
	for name := range c.Env {
		taken[name] = true
	}
	guests := map[string]bool{}
	for _, m := range c.Mounts {
		guests[m.Guest] = true
	}
	for i := range c.Secrets {
		u := &c.Secrets[i]
		if err := u.Validate(); err != nil {
			return err
		}
		switch at := u.Env + u.File; {
		case taken[at]:
			return fmt.Errorf("secret %s: there is another %.80q", u.Name, at)
		case u.File != "" && guests[path.Dir(u.File)]:
			return fmt.Errorf("secret %s: file %.80q: its folder is a mount: choose another one, such as /run/secrets", u.Name, u.File)
		default:
			taken[at] = true
		}
	}
	return nil
}

// SecretAsk asks a member for the key of a secret's version ([RouteSecretKey]).
type SecretAsk struct {
	Name   Name   `json:"name"`
	Intent Digest `json:"intent"` // of the version
}

// Validate implements [Validator].
func (a *SecretAsk) Validate() error {
	if _, err := ParseName(string(a.Name)); err != nil {
		return fmt.Errorf("secret: %w", err)
	}
	if a.Intent.IsZero() {
		return errors.New("secret: intent is missing")
	}
	return nil
}

// SecretGiven answers a [SecretAsk]: the private half, sealed to who asks.
type SecretGiven struct {
	Sealed []byte `json:"sealed"`
}

// Validate implements [Validator].
func (g *SecretGiven) Validate() error {
	if len(g.Sealed) == 0 || len(g.Sealed) > maxSecretSealed {
		return fmt.Errorf("secret: a sealed key of %d bytes: want 1 to %d", len(g.Sealed), maxSecretSealed)
	}
	return nil
}
