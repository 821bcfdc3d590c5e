package edge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/realm-mesh/realm/internal/kit/ingress"
)

const (
	acmeALPN     = "acme-tls/1" // of RFC 8737
	acmePatience = 2 * time.Minute
)

// ACME gets certificates from an authority, for the hosts that public routes name and no
// others: when the first client asks for one, and before one ends. The authority asks for
// its proofs at the listeners of the Edge: by TLS-ALPN-01 or HTTP-01.
type ACME struct {
	Directory string // URL
	Email     string // may be empty
	Root      string // file of the certificates that Directory is trusted by; "": the system's
	Dir       string // where keys and certificates are kept
	HTTP      string // the addresses of the Edge
	HTTPS     string
	Files     *Files // go first for the names that they have; nil: there are none
	Log       *slog.Logger
}

var errNotPublic = errors.New("no public route names this host")

// Begin implements [Certs].
func (a *ACME) Begin(table func() *ingress.Table) (TLS, error) {
	var files *loaded
	if a.Files != nil {
		var err error
		if files, err = a.Files.open(); err != nil {
			return TLS{}, err
		}
	}
	template, err := a.issuer()
	if err != nil {
		return TLS{}, err
	}
	var cfg *certmagic.Config
	cache := certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return cfg, nil }, Logger: zap.NewNop(),
	})
	cfg = certmagic.New(cache, certmagic.Config{
		Storage: &certmagic.FileStorage{Path: a.Dir}, Logger: zap.NewNop(), OnEvent: a.event,
		OnDemand: &certmagic.OnDemandConfig{DecisionFunc: func(_ context.Context, host string) error {
			if !table().HasHost(host) {
				return errNotPublic
			}
			return nil
		}},
	})
	issuer := certmagic.NewACMEIssuer(cfg, template)
	cfg.Issuers = []certmagic.Issuer{issuer}
	return TLS{
		Config: &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{acmeALPN}, GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if c := files.fits(hello); c != nil {
				return c, nil
			}
			return cfg.GetCertificate(hello)
		}},
		Plain: issuer.HTTPChallengeHandler,
		Run: func(ctx context.Context) error {
			<-ctx.Done()
			cache.Stop()
			return nil
		},
	}, nil
}

func (a *ACME) issuer() (t certmagic.ACMEIssuer, err error) {
	t = certmagic.ACMEIssuer{CA: a.Directory, TestCA: a.Directory, Email: a.Email, Agreed: true, CertObtainTimeout: acmePatience, Logger: zap.NewNop()}
	for addr, port := range map[string]*int{a.HTTP: &t.AltHTTPPort, a.HTTPS: &t.AltTLSALPNPort} {
		host, p, err := net.SplitHostPort(addr)
		if err == nil {
			*port, err = strconv.Atoi(p)
		}
		if err != nil {
			return t, fmt.Errorf("read address %s: %w", addr, err)
		}
		t.ListenHost = host // it finds the Edge there, and opens nothing itself
	}
	if a.Root == "" {
		return t, nil
	}
	pem, err := os.ReadFile(a.Root)
	if err != nil {
		return t, fmt.Errorf("read acme_root: %w", err)
	}
	if t.TrustedRoots = x509.NewCertPool(); !t.TrustedRoots.AppendCertsFromPEM(pem) {
		return t, fmt.Errorf("read acme_root: %s holds no certificate in PEM", a.Root)
	}
	return t, nil
}

// event tells people what has become of a certificate.
func (a *ACME) event(_ context.Context, event string, data map[string]any) error {
	switch event {
	case "cert_obtained":
		a.Log.Info("a certificate was issued", "host", data["identifier"], "renewal", data["renewal"])
	case "cert_failed":
		a.Log.Error("no certificate was issued: does the name lead here, and are the ports 80 and 443 open to the authority?",
			"host", data["identifier"], "error", fmt.Sprint(data["error"]))
	}
	return nil
}
