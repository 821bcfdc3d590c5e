package wasi

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/realm-mesh/realm/engine/component/wit"
)

// HTTPCode is a case of the error-code of wasi:http.
type HTTPCode uint32

// The cases of error-code, in their order.
const (
	DNSTimeout HTTPCode = iota
	DNSError
	DestinationNotFound
	DestinationUnavailable
	DestinationIPProhibited
	DestinationIPUnroutable
	ConnectionRefused
	ConnectionTerminated
	ConnectionTimeout
	ConnectionReadTimeout
	ConnectionWriteTimeout
	ConnectionLimitReached
	TLSProtocolError
	TLSCertificateError
	TLSAlertReceived
	HTTPRequestDenied
	HTTPRequestLengthRequired
	HTTPRequestBodySize
	HTTPRequestMethodInvalid
	HTTPRequestURIInvalid
	HTTPRequestURITooLong
	HTTPRequestHeaderSectionSize
	HTTPRequestHeaderSize
	HTTPRequestTrailerSectionSize
	HTTPRequestTrailerSize
	HTTPResponseIncomplete
	HTTPResponseHeaderSectionSize
	HTTPResponseHeaderSize
	HTTPResponseBodySize
	HTTPResponseTrailerSectionSize
	HTTPResponseTrailerSize
	HTTPResponseTransferCoding
	HTTPResponseContentCoding
	HTTPResponseTimeout
	HTTPUpgradeFailed
	HTTPProtocolError
	LoopDetected
	ConfigurationError
	InternalError
)

// HTTPError is why a request or a response has failed, in the words of wasi:http.
type HTTPError struct {
	Code   HTTPCode
	Detail any   // the value of the case in WIT; nil: that which knows nothing more
	Err    error // for people; may be nil
}

// Error implements error.
func (e *HTTPError) Error() string {
	name := fmt.Sprintf("HTTP error %d", e.Code)
	if int(e.Code) < len(httpCodeNames) {
		name = httpCodeNames[e.Code]
	}
	if e.Err == nil {
		return name
	}
	return name + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *HTTPError) Unwrap() error { return e.Err }

// value is e as guests see it.
func (e *HTTPError) value() wit.Choice {
	c := wit.Choice{Case: uint32(e.Code), Value: e.Detail}
	if c.Value != nil {
		return c
	}
	switch e.Code {
	case DNSError, TLSAlertReceived, HTTPRequestTrailerSize, HTTPResponseHeaderSize, HTTPResponseTrailerSize:
		c.Value = []any{wit.None(), wit.None()}
	case HTTPRequestBodySize, HTTPRequestHeaderSectionSize, HTTPRequestHeaderSize, HTTPRequestTrailerSectionSize,
		HTTPResponseHeaderSectionSize, HTTPResponseBodySize, HTTPResponseTrailerSectionSize,
		HTTPResponseTransferCoding, HTTPResponseContentCoding:
		c.Value = wit.None()
	case InternalError:
		c.Value = wit.None()
		if e.Err != nil {
			c.Value = wit.Some(valid(e.Err.Error()))
		}
	}
	return c
}

// httpError is err in the words of wasi:http.
func httpError(err error) *HTTPError {
	var e *HTTPError
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &HTTPError{Code: HTTPResponseIncomplete, Err: err}
	case errors.Is(err, errGone), errors.Is(err, context.Canceled):
		return &HTTPError{Code: ConnectionTerminated, Err: err}
	}
	return &HTTPError{Code: InternalError, Err: err}
}

// inHTTP is why a stream of a body has failed. Ends are none.
func inHTTP(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, errGone) {
		return err
	}
	return httpError(err)
}

// httpErrorOf is the error that a guest gave.
func httpErrorOf(c wit.Choice) *HTTPError {
	return &HTTPError{Code: HTTPCode(c.Case), Detail: c.Value}
}

var httpCodeNames = [...]string{
	"DNS-timeout", "DNS-error", "destination-not-found", "destination-unavailable",
	"destination-IP-prohibited", "destination-IP-unroutable", "connection-refused",
	"connection-terminated", "connection-timeout", "connection-read-timeout",
	"connection-write-timeout", "connection-limit-reached", "TLS-protocol-error",
	"TLS-certificate-error", "TLS-alert-received", "HTTP-request-denied",
	"HTTP-request-length-required", "HTTP-request-body-size", "HTTP-request-method-invalid",
	"HTTP-request-URI-invalid", "HTTP-request-URI-too-long", "HTTP-request-header-section-size",
	"HTTP-request-header-size", "HTTP-request-trailer-section-size", "HTTP-request-trailer-size",
	"HTTP-response-incomplete", "HTTP-response-header-section-size", "HTTP-response-header-size",
	"HTTP-response-body-size", "HTTP-response-trailer-section-size", "HTTP-response-trailer-size",
	"HTTP-response-transfer-coding", "HTTP-response-content-coding", "HTTP-response-timeout",
	"HTTP-upgrade-failed", "HTTP-protocol-error", "loop-detected", "configuration-error",
	"internal-error",
}
