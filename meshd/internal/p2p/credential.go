package p2p

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	encodingasn1 "encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/realm-mesh/realm/api"
)

// InstanceID names one run of a node: every process draws a new one.
type InstanceID [16]byte

func (i InstanceID) String() string { return hex.EncodeToString(i[:]) }

// credentialOID marks the extension of a node's certificate that holds its
// credential. Only nodes of realms read it, and no enterprise number is registered
// for them: this one lies far above all that are assigned. The last arc is the
// version of the form.
var credentialOID = encodingasn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 7325600, 1}

// maxCredential bounds the extension: a proof, an instance, and DER around them.
const maxCredential = api.MaxProof + 64

// errNoCredential says that a peer runs other software, or none of this version.
var errNoCredential = errors.New("its certificate has no credential of a realm's node: it runs other software, or needs an upgrade")

// credential is what a node shows of itself in its certificate.
type credential struct {
	instance InstanceID
	proof    []byte // opaque; who judges it reads it
}

func newCredential(proof []byte) credential {
	c := credential{proof: proof}
	rand.Read(c.instance[:])
	return c
}

// encode writes SEQUENCE { instance OCTET STRING, proof OCTET STRING } in DER.
func (c credential) encode() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1OctetString(c.instance[:])
		b.AddASN1OctetString(c.proof)
	})
	return b.Bytes()
}

// decodeCredential reads what a peer has put into its certificate. It accepts what
// encode writes and nothing else; the proof is a part of b.
func decodeCredential(b []byte) (credential, error) {
	if len(b) > maxCredential {
		return credential{}, fmt.Errorf("decode credential: %d bytes; at most %d", len(b), maxCredential)
	}
	in := cryptobyte.String(b)
	var seq, instance, proof cryptobyte.String
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() || !seq.ReadASN1(&instance, asn1.OCTET_STRING) ||
		!seq.ReadASN1(&proof, asn1.OCTET_STRING) || !seq.Empty() {
		return credential{}, errors.New("decode credential: not in the form of this version")
	}
	c := credential{proof: proof}
	if len(instance) != len(c.instance) {
		return credential{}, fmt.Errorf("decode credential: instance of %d bytes; want %d", len(instance), len(c.instance))
	}
	if len(proof) > api.MaxProof {
		return credential{}, fmt.Errorf("decode credential: proof of %d bytes; at most %d", len(proof), api.MaxProof)
	}
	copy(c.instance[:], instance)
	return c, nil
}

// readCredential finds the credential in the certificates of a TLS connection.
// crypto/x509 refuses certificates that hold one extension twice.
func readCredential(certs []*x509.Certificate) (credential, error) {
	if len(certs) != 1 {
		return credential{}, fmt.Errorf("%d certificates; want one", len(certs))
	}
	for _, e := range certs[0].Extensions {
		if e.Id.Equal(credentialOID) {
			return decodeCredential(e.Value)
		}
	}
	return credential{}, errNoCredential
}

// Certificates are valid always, since crypto/x509 checks them by this node's clock
// and clocks of nodes may be off. What ends a membership stands in the proof.
var (
	certBefore = time.Unix(0, 0)
	certAfter  = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) // RFC 5280 §4.1.2.5: no end
)

// template makes the certificate that libp2p completes with its key and its own
// extension. libp2p writes into it: each use needs a new one.
func (c credential) template() (*x509.Certificate, error) {
	value, err := c.encode()
	if err != nil {
		return nil, fmt.Errorf("encode credential: %w", err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, fmt.Errorf("draw serial number: %w", err)
	}
	return &x509.Certificate{
		SerialNumber:    serial,
		Subject:         pkix.Name{SerialNumber: serial.String()}, // RFC 5280 §4.1.2.4: the issuer must not be empty
		NotBefore:       certBefore,
		NotAfter:        certAfter,
		ExtraExtensions: []pkix.Extension{{Id: credentialOID, Value: value}},
	}, nil
}
