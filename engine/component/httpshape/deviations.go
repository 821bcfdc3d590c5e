package httpshape

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
)

// Deviation is a shape in which the recorded host is not to be followed.
type Deviation struct {
	Why   string
	Right func(*Outcome) // changes the recorded outcome to the right one
}

// Why the recorded host, jco serve of version 1.35, is not followed.
const (
	diesOfTraps   = "it ends when one guest traps; a server is to go on, and the client to be told"
	hidesTrailers = "it drops trailers"
	tellsError    = "it ends when a guest answers with an error; the client is to be told"
)

// Deviations are by name of the shape.
func Deviations() map[string]Deviation {
	return map[string]Deviation{
		"method PROPFIND":            {"it puts methods into small letters: they are case-sensitive (RFC 9110, 9.1)", text("9 PROPFIND")},
		"headers not ASCII":          {"it decodes values as Latin-1 and encodes them as UTF-8: a field-value is bytes", binary("x-latin: caf\xe9\n")},
		"headers for one connection": {"it hands on Upgrade, which is about the connection", lastLine("te: trailers")},
		"target absolute":            {"it hands the whole target to the guest: path-with-query is a part of it (RFC 9112, 3.2.2)", and(status(http.StatusOK), text("/query/x\ny"))},
		"echo trailers":              {hidesTrailers, trailer("x-sum: 7")},
		"trailers":                   {hidesTrailers, trailer("x-more: a", "x-sum: 1234")},
		"fetch trailers":             {hidesTrailers, trailer("x-sum: 42")},
		"early after 100":            {"it says 100 at once: a server may wait until somebody wants the body (RFC 9110, 10.1.1)", without100},
		"expectation unknown":        {"the page is the host's", page(http.StatusExpectationFailed)},
		"status 304":                 {"a 304 carries no headers about a content that is not there (RFC 9110, 15.4.5)", headers()},
		"try status 99":              {"it takes any number for a status", text("1")},
		"try status 100":             {"it takes a status for final that is not (RFC 9110, 15.2)", text("1")},
		"try status 1000":            {"it takes any number for a status", text("1")},
		"repeated in the answer": {"it sends only the last of headers with one name", headers("content-type: text/plain", "set-cookie: a=1", "set-cookie: b=2; Path=/",
			"x-other: between", "x-repeated: one", "x-repeated: two, three")},
		"headers that are refused": {"it lets guests set Transfer-Encoding and Upgrade, which belong to the connection", text(
			"connection err 1\nkeep-alive err 1\ntransfer-encoding err 1\nupgrade err 1\nhost err 1\n err 0\na b err 0\nx-a err 0\nX-Good ok 0\n")},
		"no response":              {"it leaves the client waiting when a guest ends without an answer", page(http.StatusInternalServerError)},
		"trap":                     {diesOfTraps, page(http.StatusInternalServerError)},
		"trap after some of it":    {diesOfTraps, survives},
		"trap after all of it":     {diesOfTraps, survives},
		"set twice":                {diesOfTraps, survives},
		"unfinished":               {"it ends when a body is dropped unfinished; that cuts the one answer", survives},
		"error internal":           {tellsError, page(http.StatusInternalServerError)},
		"error denied":             {tellsError, page(http.StatusInternalServerError)},
		"error timeout":            {tellsError, page(http.StatusInternalServerError)},
		"zeroes too many":          {"it writes more than 4,096 zeroes at once, which traps", and(cut, text(""))},
		"hang up in the middle":    {"it ends when a client hangs up", survives},
		"proxy status and headers": {"it joins headers of one name", headers("content-type: text/plain; charset=utf-8", "x-two: one", "x-two: two")},
		"proxy cut":                {"it drops what came before an error of the stream, and then ends itself", and(survives, text("only this\n"))},
		"proxy refused":            {tellsError, page(http.StatusInternalServerError)},
		"hello-js throws":          {"it takes a body for whole that was dropped unfinished (WIT of outgoing-body)", cut},
		"rust-web panic":           {diesOfTraps, page(http.StatusInternalServerError)},
		"rust-web env":             {"it shows guests the server's own environment", text("0\n")},
		"fetch cut":                {"it drops what came before an error of the stream", text("only this\n")},
	}
}

func survives(o *Outcome)   { o.Survived = true }
func without100(o *Outcome) { o.Informational = nil }
func cut(o *Outcome)        { o.End = Cut }

func text(s string) func(*Outcome) {
	return func(o *Outcome) { o.Text, o.SHA256, o.Size = s, "", int64(len(s)) }
}

// lastLine is the only line of an answer whose lines have no order: they are kept sorted, without the last end of line.
func lastLine(s string) func(*Outcome) {
	return func(o *Outcome) { o.Text, o.Size = s, int64(len(s))+1 }
}

func binary(s string) func(*Outcome) {
	return func(o *Outcome) {
		sum := sha256.Sum256([]byte(s))
		o.Text, o.SHA256, o.Size = "", hex.EncodeToString(sum[:]), int64(len(s))
	}
}

func status(code int) func(*Outcome)       { return func(o *Outcome) { o.Status = code } }
func headers(all ...string) func(*Outcome) { return func(o *Outcome) { o.Headers = all } }
func trailer(all ...string) func(*Outcome) { return func(o *Outcome) { o.Trailers = all } }

func page(code int) func(*Outcome) {
	return func(o *Outcome) { *o = Outcome{End: Whole, Status: code, HostPage: true, Survived: true} }
}

func and(changes ...func(*Outcome)) func(*Outcome) {
	return func(o *Outcome) {
		for _, change := range changes {
			change(o)
		}
	}
}
