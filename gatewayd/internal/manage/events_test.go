package manage

import (
	"net/url"
	"strings"
	"testing"
)

func FuzzEventQuery(f *testing.F) {
	for _, s := range []string{"", "type=job", "type=job,member&type=workload", "type=", "type=weather", "after=abc-12", "after=abc", "after=-"} {
		f.Add(s, "")
		f.Add("", strings.TrimPrefix(s, "after="))
	}
	f.Fuzz(func(t *testing.T, query, last string) {
		v, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		q, err := parseEventQuery(v, last)
		if err != nil && len(err.Error()) > 500 {
			t.Errorf("%d bytes of error", len(err.Error()))
		}
		if err == nil && q.past != (last != "" || v.Get("after") != "") {
			t.Errorf("%q %q: %+v", query, last, q)
		}
	})
}
