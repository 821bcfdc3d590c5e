package manage

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"

	"github.com/realm-mesh/realm/api"
)

// mustParse reads a page of metrics.
func mustParse(t *testing.T, text string) page {
	t.Helper()
	f, err := parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return page{up: true, families: f}
}

func from(d api.Daemon, p page) page {
	p.daemon = d
	return p
}

// rendered merges pages and writes the outcome as text, samples alone.
func rendered(t *testing.T, pages ...page) (lines, dropped []string) {
	t.Helper()
	families, dropped := merge(pages)
	var b bytes.Buffer
	enc := expfmt.NewEncoder(&b, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, f := range families {
		if err := enc.Encode(f); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := parse(b.Bytes()); err != nil {
		t.Fatalf("what was merged cannot be read: %v\n%s", err, b.String())
	}
	for l := range strings.Lines(b.String()) {
		if !strings.HasPrefix(l, "#") && !strings.HasPrefix(l, "realm_daemon_up") {
			lines = append(lines, strings.TrimSpace(l))
		}
	}
	return lines, dropped
}

func TestMerge(t *testing.T) {
	for name, c := range map[string]struct {
		pages   map[api.Daemon]string
		want    []string
		dropped int
	}{
		"one family of two daemons": {
			pages: map[api.Daemon]string{
				api.Casd:  "# TYPE go_goroutines gauge\ngo_goroutines 8\n",
				api.Meshd: "# TYPE go_goroutines gauge\ngo_goroutines 9\n",
			},
			want: []string{`go_goroutines{daemon="casd"} 8`, `go_goroutines{daemon="meshd"} 9`},
		},
		"labels and histograms": {
			pages: map[api.Daemon]string{api.Runnerd: `# TYPE h histogram
h_bucket{zone="a",le="1"} 2
h_bucket{zone="a",le="+Inf"} 3
h_sum{zone="a"} 4.5
h_count{zone="a"} 3
`},
			want: []string{`h_bucket{daemon="runnerd",zone="a",le="1"} 2`, `h_bucket{daemon="runnerd",zone="a",le="+Inf"} 3`,
				`h_sum{daemon="runnerd",zone="a"} 4.5`, `h_count{daemon="runnerd",zone="a"} 3`},
		},
		"series of dashboards keep their names": {
			pages: map[api.Daemon]string{
				api.Gatewayd: "# TYPE gateway_requests_total counter\ngateway_requests_total 5\n",
				api.Runnerd:  "# TYPE components_running gauge\ncomponents_running 2\n",
			},
			want: []string{"components_running 2", "gateway_requests_total 5"},
		},
		"a label daemon of its own": {
			pages: map[api.Daemon]string{api.Upgraded: "# TYPE v gauge\nv{daemon=\"casd\"} 1\nv{daemon=\"meshd\"} 2\n"},
			want:  []string{`v{daemon="upgraded",exported_daemon="casd"} 1`, `v{daemon="upgraded",exported_daemon="meshd"} 2`},
		},
		"the launcher speaks of the others": {
			pages: map[api.Daemon]string{api.Launcher: "# TYPE realm_daemon_restarts counter\nrealm_daemon_restarts{daemon=\"casd\"} 1\n"},
			want:  []string{`realm_daemon_restarts{daemon="casd"} 1`},
		},
		"two that claim one plain series": {
			pages: map[api.Daemon]string{
				api.Casd:  "# TYPE agent_version gauge\nagent_version 1\n",
				api.Meshd: "# TYPE agent_version gauge\nagent_version 1\n",
			},
			want: []string{"agent_version 1"}, dropped: 1,
		},
		"two types": {
			pages: map[api.Daemon]string{api.Casd: "# TYPE x gauge\nx 1\n", api.Meshd: "# TYPE x counter\nx 1\n"},
			want:  []string{`x{daemon="casd"} 1`}, dropped: 1,
		},
		"a forged up": {
			pages: map[api.Daemon]string{api.Casd: "# TYPE realm_daemon_up gauge\nrealm_daemon_up 0\n"},
		},
		"odd values": {
			pages: map[api.Daemon]string{api.Casd: "# TYPE x untyped\nx{l=\"a\\\"b\\\\c\\nd\"} NaN\nx{l=\"é\"} +Inf\n"},
			want:  []string{`x{daemon="casd",l="a\"b\\c\nd"} NaN`, `x{daemon="casd",l="é"} +Inf`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var pages []page
			for _, d := range append(api.Daemons(), api.Launcher) {
				if text, ok := c.pages[d]; ok {
					pages = append(pages, from(d, mustParse(t, text)))
				}
			}
			got, dropped := rendered(t, pages...)
			if !slices.Equal(got, c.want) || len(dropped) != c.dropped {
				t.Errorf("got\n%s\nwant\n%s\ndropped %q", strings.Join(got, "\n"), strings.Join(c.want, "\n"), dropped)
			}
		})
	}
}

func FuzzMerge(f *testing.F) {
	f.Add("# TYPE a counter\na 1\n", "# TYPE a gauge\na{daemon=\"x\"} 2\n")
	f.Add("a 1\na 1\n", "agent_version 1\n")
	f.Add("# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_count 1\nh_sum 1\n", "h_count 2\n")
	f.Add("# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_sum 1\ns_count 1\n", "realm_daemon_up{daemon=\"casd\"} 0\n")
	f.Fuzz(func(t *testing.T, one, two string) {
		a, errA := parse([]byte(one))
		b, errB := parse([]byte(two))
		if errA != nil || errB != nil {
			return
		}
		families, _ := merge([]page{{api.Casd, true, a}, {api.Meshd, true, b}})
		seen := map[string]bool{}
		for _, fam := range families {
			if seen[fam.GetName()] {
				t.Fatalf("family %q comes twice", fam.GetName())
			}
			seen[fam.GetName()] = true
			for _, s := range fam.Metric {
				id := identity(fam.GetName(), s.Label)
				if seen[" "+id] {
					t.Fatalf("series %s comes twice", id)
				}
				seen[" "+id] = true
			}
		}
	})
}
