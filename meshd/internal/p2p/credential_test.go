package p2p

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"

	"github.com/realm-mesh/realm/api"
)

// certificate is what libp2p makes of a credential.
func certificate(t *testing.T, c credential) *x509.Certificate {
	t.Helper()
	key, err := crypto.UnmarshalEd25519PrivateKey(newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	template, err := c.template()
	if err != nil {
		t.Fatal(err)
	}
	identity, err := libp2ptls.NewIdentity(key, libp2ptls.WithCertTemplate(template))
	if err != nil {
		t.Fatal(err)
	}
	conf, _ := identity.ConfigForPeer("")
	cert, err := x509.ParseCertificate(conf.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestCredentialInCertificate(t *testing.T) {
	for _, size := range []int{0, 1, 127, 128, 255, 256, api.MaxProof} {
		want := newCredential(bytes.Repeat([]byte{7}, size))
		cert := certificate(t, want)
		got, err := readCredential([]*x509.Certificate{cert})
		if err != nil || got.instance != want.instance || !bytes.Equal(got.proof, want.proof) {
			t.Errorf("%d bytes: %v, %v", size, got, err)
		}
		// Nodes whose clocks are off meet all the same.
		for _, now := range []time.Time{time.Unix(1, 0), time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC)} {
			if now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
				t.Errorf("at %v the certificate is not valid: it is from %v to %v", now, cert.NotBefore, cert.NotAfter)
			}
		}
	}
	if a, b := newCredential(nil), newCredential(nil); a.instance == b.instance {
		t.Error("two runs have one instance")
	}
}

func TestNoCredential(t *testing.T) {
	plain := &x509.Certificate{Extensions: []pkix.Extension{{Id: []int{1, 2, 3}, Value: []byte{1}}}}
	if _, err := readCredential([]*x509.Certificate{plain}); !errors.Is(err, errNoCredential) {
		t.Errorf("a certificate without one: %v", err)
	}
	good := certificate(t, newCredential(nil))
	for _, certs := range [][]*x509.Certificate{nil, {good, good}} {
		if _, err := readCredential(certs); err == nil {
			t.Errorf("%d certificates are accepted", len(certs))
		}
	}
}

func TestBadCredentials(t *testing.T) {
	good, err := newCredential([]byte("proof")).encode()
	if err != nil {
		t.Fatal(err)
	}
	tooLarge, err := newCredential(make([]byte, api.MaxProof+1)).encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"nothing":                 nil,
		"trailing byte":           append(bytes.Clone(good), 0),
		"cut short":               good[:len(good)-1],
		"trailing byte inside":    append([]byte{0x30, good[1] + 1}, append(bytes.Clone(good[2:]), 0)...),
		"trailing field":          append([]byte{0x30, good[1] + 2}, append(bytes.Clone(good[2:]), 4, 0)...),
		"length in a longer form": append([]byte{0x30, 0x81, good[1]}, good[2:]...),
		"short instance":          {0x30, 4, 4, 0, 4, 0},
		"no proof":                {0x30, 2, 4, 0},
		"set":                     append([]byte{0x31}, good[1:]...),
		"proof too large":         tooLarge,
		"far too large":           make([]byte, maxCredential+1),
	} {
		if c, err := decodeCredential(b); err == nil {
			t.Errorf("%s: %v", name, c)
		}
	}
}

// FuzzCredential decodes what a stranger may have put into its certificate.
func FuzzCredential(f *testing.F) {
	for _, proof := range [][]byte{nil, []byte("proof"), make([]byte, 300), make([]byte, api.MaxProof)} {
		b, err := newCredential(proof).encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeCredential(b)
		if err != nil {
			return
		}
		if len(c.proof) > api.MaxProof {
			t.Fatalf("a proof of %d bytes", len(c.proof))
		}
		if again, err := c.encode(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x is written as %x, %v", b, again, err)
		}
	})
}
