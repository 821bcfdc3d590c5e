package public

import (
	"bytes"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

func FuzzDecodeExec(f *testing.F) {
	for _, s := range []string{
		`{"name":"double","arg":21}`, `{"name":"a","args":[1,"2",-0.0,1e308]}`, `{"name":"a","arg":9007199254740993}`,
		`{"name":"a","arg":null}`, `{"name":"../a"}`, `{"name":"a","arg":{},"args":[]}`, `{"NAME":"a"} `, "[", `{"name":"a","arg":"\u0000"}`,
		`{"name":"a","arg":"<&>"}`, `{"name":"a","arg":{"b":[1, null]}}`, `{"name":"a","args":[true]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		req, err := decodeExec(b)
		if err != nil {
			return
		}
		if _, err := api.ParseName(string(req.Name)); err != nil {
			t.Fatalf("accepted name %q", req.Name)
		}
		call := req.Call()
		if len(call.Args) > api.MaxArgs {
			t.Fatalf("accepted %d arguments", len(call.Args))
		}
		out, err := local.Marshal(call)
		if err != nil {
			t.Fatalf("accepted what cannot be sent: %v", err)
		}
		// runnerd gets each argument as it was written, but for escapes in strings.
		var back api.CallRequest
		if err := api.Decode(out, api.MaxExec, &back); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		for i, a := range call.Args {
			if number(a) && !bytes.Equal(a, back.Args[i]) {
				t.Fatalf("argument %s became %s", a, back.Args[i])
			}
			if !bytes.Contains(b, a) {
				t.Fatalf("argument %s was not sent", a)
			}
		}
	})
}

func number(v []byte) bool { return v[0] == '-' || '0' <= v[0] && v[0] <= '9' }

func FuzzPlainPath(f *testing.F) {
	for _, s := range []string{"", "a/b", "a%2Fb", "..", "a/%2e%2E/b", "%2e", "a//b", "%00", "%zz", "...", "a%2f..%2fb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, escaped string) {
		plain, err := plainPath(escaped)
		if err != nil {
			return
		}
		for s := range strings.SplitSeq(plain, "/") {
			if s == "." || s == ".." {
				t.Fatalf("%q holds the segment %q", escaped, s)
			}
		}
		if strings.ContainsRune(plain, 0) {
			t.Fatalf("%q holds a NUL", escaped)
		}
	})
}
