package apiv1

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"
)

func FuzzArgs(f *testing.F) {
	for _, s := range []string{"", "limit=5", "limit=0", "limit=501", "state=running,failed", "state=", "state=running,", "after=%ff", "name=a&name=b", "x=1", "%zz", "tail=1&grep=(", "epoch=99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		req.URL.RawQuery = query
		for _, r := range table() {
			for i := range r.params {
				req.SetPathValue(r.params[i].name, "x")
			}
			a, err := r.read(req)
			if err != nil {
				if len(err.Error()) > 500 {
					t.Errorf("%d bytes of error", len(err.Error()))
				}
				continue
			}
			given, _ := url.ParseQuery(query)
			for i := range r.params {
				p := &r.params[i]
				if n, err := strconv.Atoi(a[p.name]); a[p.name] != "" && p.integer && (err != nil || n < p.min || n > p.max) {
					t.Errorf("%s=%s is taken", p.name, a[p.name])
				}
				delete(given, p.name)
			}
			if len(given) > 0 {
				t.Errorf("%v is passed over", given)
			}
		}
	})
}
