package outgoing

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/realm-mesh/realm/engine/component/wit"
	"github.com/realm-mesh/realm/engine/wasi"
)

// explain is err in the words of wasi:http.
func explain(err error) error {
	var known *wasi.HTTPError
	if errors.As(err, &known) {
		return known
	}
	for _, of := range []func(error) (wasi.HTTPCode, any, bool){ofDNS, ofTLS, ofConnection, ofHTTP} {
		if code, detail, ok := of(err); ok {
			return &wasi.HTTPError{Code: code, Detail: detail, Err: err}
		}
	}
	return &wasi.HTTPError{Code: wasi.InternalError, Err: err}
}

func ofDNS(err error) (wasi.HTTPCode, any, bool) {
	var dns *net.DNSError
	switch {
	case !errors.As(err, &dns):
		return 0, nil, false
	case dns.IsTimeout:
		return wasi.DNSTimeout, nil, true
	}
	rcode := "SERVFAIL"
	if dns.IsNotFound {
		rcode = "NXDOMAIN"
	}
	return wasi.DNSError, []any{wit.Some(rcode), wit.None()}, true
}

func ofTLS(err error) (wasi.HTTPCode, any, bool) {
	var (
		alert       *net.OpError
		certificate *tls.CertificateVerificationError
		header      tls.RecordHeaderError
		authority   x509.UnknownAuthorityError
		hostname    x509.HostnameError
		invalid     x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &alert) && alert.Op == "remote error": // the alert's type has no name
		return wasi.TLSAlertReceived, []any{wit.None(), wit.Some(alert.Err.Error())}, true
	case errors.As(err, &certificate), errors.As(err, &authority), errors.As(err, &hostname), errors.As(err, &invalid):
		return wasi.TLSCertificateError, nil, true
	case errors.As(err, &header), strings.Contains(err.Error(), "tls: "), says(err, "HTTP response to HTTPS client"):
		return wasi.TLSProtocolError, nil, true
	}
	return 0, nil, false
}

func ofConnection(err error) (wasi.HTTPCode, any, bool) {
	var network net.Error
	var op *net.OpError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return wasi.ConnectionRefused, nil, true
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return wasi.DestinationIPUnroutable, nil, true
	case errors.As(err, &network) && network.Timeout():
		if errors.As(err, &op) && op.Op == "dial" || says(err, "TLS handshake timeout") {
			return wasi.ConnectionTimeout, nil, true
		}
		return wasi.ConnectionReadTimeout, nil, true
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF),
		errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), says(err, "server closed idle connection"):
		return wasi.ConnectionTerminated, nil, true
	}
	return 0, nil, false
}

// ofHTTP goes by what package http says: it has no types for these.
func ofHTTP(err error) (wasi.HTTPCode, any, bool) {
	switch {
	case says(err, "server response headers exceeded"):
		return wasi.HTTPResponseHeaderSectionSize, nil, true
	case says(err, "malformed"), says(err, "bad Content-Length"), says(err, "unsupported transfer encoding"):
		return wasi.HTTPProtocolError, nil, true
	}
	return 0, nil, false
}

func says(err error, text string) bool { return strings.Contains(err.Error(), text) }
