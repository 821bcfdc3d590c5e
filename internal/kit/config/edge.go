package config

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
)

// Directories of ACME that have names of their own.
const (
	LetsEncrypt        = "https://acme-v02.api.letsencrypt.org/directory"
	LetsEncryptStaging = "https://acme-staging-v02.api.letsencrypt.org/directory"
)

const maxCerts = 64

// ACME is the URL of the directory of the certificate authority; "": there is none.
func (n Node) ACME() string {
	switch n.ACMEDirectory {
	case "letsencrypt":
		return LetsEncrypt
	case "letsencrypt-staging":
		return LetsEncryptStaging
	}
	return n.ACMEDirectory
}

func (n Node) validateEdge() error {
	for name, addr := range map[string]string{"edge_listen": n.EdgeListen, "edge_tls_listen": n.EdgeTLSListen} {
		if err := validateListen(name, addr); err != nil {
			return err
		}
		if _, port, err := net.SplitHostPort(addr); err == nil && port == "0" {
			return fmt.Errorf("%w: %s %s: want a port that clients can know", ErrInvalid, name, addr)
		}
	}
	if len(n.EdgeCerts) != len(n.EdgeKeys) || len(n.EdgeCerts) > maxCerts {
		return fmt.Errorf("%w: edge_certs, edge_keys: %d certificates and %d keys: want a key for each, in the same order, at most %d",
			ErrInvalid, len(n.EdgeCerts), len(n.EdgeKeys), maxCerts)
	}
	for i := range n.EdgeCerts {
		if err := errors.Join(validatePath("edge_certs", n.EdgeCerts[i]), validatePath("edge_keys", n.EdgeKeys[i])); err != nil {
			return err
		}
	}
	return n.validateACME()
}

func (n Node) validateACME() error {
	if n.ACMERoot != "" {
		if err := validatePath("acme_root", n.ACMERoot); err != nil {
			return err
		}
	}
	if n.ACMEEmail != "" {
		if a, err := mail.ParseAddress(n.ACMEEmail); err != nil || a.Address != n.ACMEEmail {
			return fmt.Errorf("%w: acme_email %.200q: want an address such as ops@example.org", ErrInvalid, n.ACMEEmail)
		}
	}
	switch u, err := url.Parse(n.ACME()); {
	case n.ACMEDirectory == "" && (n.ACMEEmail != "" || n.ACMERoot != ""):
		return fmt.Errorf("%w: acme_email, acme_root: they go with acme_directory, such as letsencrypt", ErrInvalid)
	case n.ACMEDirectory == "":
		return nil
	case err != nil || u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("%w: acme_directory %.200q: want letsencrypt, letsencrypt-staging, or an https URL", ErrInvalid, n.ACMEDirectory)
	}
	return nil
}
