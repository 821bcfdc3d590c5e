package keep

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	fetches *prometheus.CounterVec
	checks  prometheus.Counter
}

func newMetrics(r prometheus.Registerer, k *Keeper) metrics {
	name := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "realm", Subsystem: "casd_keep", Name: name, Help: help}
	}
	gauge := func(n, help string, read func() int) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts(name(n, help)), func() float64 {
			k.mu.Lock()
			defer k.mu.Unlock()
			return float64(read())
		}))
	}
	count := func(is func(*holding) bool) func() int {
		return func() (n int) {
			for _, h := range k.holding {
				if is(h) {
					n++
				}
			}
			return n
		}
	}
	gauge("needed_blobs", "Blobs that the realm needs.", func() int { return k.needs.blobs })
	gauge("members", "Members that can keep blobs.", func() int { return len(k.all) })
	gauge("kept_blobs", "Blobs that this node keeps for the realm, and has.", count(func(h *holding) bool { return h.here }))
	gauge("lacking_blobs", "Blobs that this node is to keep for the realm, and lacks.", count(func(h *holding) bool { return !h.here }))
	gauge("under_copied_blobs", "Blobs kept here of which fewer members than should have it had it when they were asked last.",
		count(func(h *holding) bool { return h.copies > 0 && h.copies < h.want }))
	m := metrics{
		fetches: prometheus.NewCounterVec(prometheus.CounterOpts(name("fetches_total", "Blobs that this node was to keep and has fetched, by result.")), []string{"result"}),
		checks:  prometheus.NewCounter(prometheus.CounterOpts(name("checks_total", "Questions of who else has a blob that is kept here."))),
	}
	r.MustRegister(m.fetches, m.checks)
	return m
}
