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
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

const (
	acmeALPN     = "acme-tls/1" // of RFC 8737
	acmePatience = 2 * time.Minute
)

// ACME gets certificates from an authority, for the hosts that public routes name and no
// others: as soon as a route names one, and before one ends. The authority asks for its
// proofs at the listeners of the Edge: by TLS-ALPN-01 or HTTP-01. A client that comes before
// the certificate is there waits for it as long as a handshake may take.
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
func (a *ACME) Begin(public Public) (TLS, error) {
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
			if table, _ := public(); !table.HasHost(host) {
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
			defer cache.Stop()
			a.order(ctx, public, func(host string) bool { return !files.has(host) }, cfg.ObtainCertAsync)
			return nil
		},
	}, nil
}

// order has obtain, which tries again until it is told to stop, get a certificate for each host
// that some route names while one does, until ctx ends.
func (a *ACME) order(ctx context.Context, public Public, wanted func(host string) bool, obtain func(ctx context.Context, host string) error) {
	var orders sync.WaitGroup
	defer orders.Wait()
	stops := map[string]context.CancelFunc{}
	for ctx.Err() == nil {
		table, changed := public()
		hosts := table.Hosts()
		for host, stop := range stops {
			if !slices.Contains(hosts, host) {
				stop()
				delete(stops, host)
			}
		}
		for _, host := range hosts {
			if stops[host] != nil || !wanted(host) {
				continue
			}
			one, stop := context.WithCancel(ctx)
			stops[host] = stop
			orders.Go(func() {
				if err := obtain(one, host); err != nil && one.Err() == nil {
					a.Log.Error("no certificate is tried to get any more until the node starts again", "host", host, telemetry.Error(err))
				}
			})
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
	for _, stop := range stops {
		stop()
	}
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
