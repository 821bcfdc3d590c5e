package manage

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

const maxScrape = 4 << 20 // bytes of one daemon's page

// metrics answers /metrics: every daemon's series, each with the label daemon.
func (n Node) metrics(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	pages := n.scrapeAll(ctx)
	families, dropped := merge(pages)
	for _, d := range dropped {
		n.Log.Warn("a series is left out of /metrics", "why", d)
	}
	format := expfmt.NewFormat(expfmt.TypeTextPlain)
	var b bytes.Buffer
	enc := expfmt.NewEncoder(&b, format)
	for _, f := range families {
		if err := enc.Encode(f); err != nil {
			local.WriteError(w, http.StatusInternalServerError, fmt.Errorf("write metrics: %w", err))
			return
		}
	}
	w.Header().Set("Content-Type", string(format))
	_, _ = w.Write(b.Bytes()) // fails only when the client has gone
}

// page is what one daemon tells.
type page struct {
	daemon   api.Daemon
	up       bool
	families []*dto.MetricFamily
}

// scrapeAll asks all daemons side by side; those that do not answer are down.
func (n Node) scrapeAll(ctx context.Context) []page {
	others := slices.DeleteFunc(api.Daemons(), func(d api.Daemon) bool { return d == api.Gatewayd })
	pages := make([]page, len(others)+2)
	var wg sync.WaitGroup
	for i, d := range others {
		wg.Go(func() { pages[i] = n.page(d, func() ([]*dto.MetricFamily, error) { return n.scrape(ctx, d) }) })
	}
	wg.Go(func() {
		pages[len(others)] = n.page(api.Launcher, func() ([]*dto.MetricFamily, error) { return n.launcher(ctx) })
	})
	pages[len(others)+1] = n.page(api.Gatewayd, n.Own.Gather)
	wg.Wait()
	return pages
}

func (n Node) page(d api.Daemon, ask func() ([]*dto.MetricFamily, error)) page {
	families, err := ask()
	if err != nil {
		n.Log.Debug("a daemon gives no metrics", "of", string(d), telemetry.Error(err))
	}
	return page{daemon: d, up: err == nil, families: families}
}

// scrape reads the page of a daemon from its socket.
func (n Node) scrape(ctx context.Context, d api.Daemon) ([]*dto.MetricFamily, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, local.URL(d, "/metrics"), nil)
	if err != nil {
		return nil, err
	}
	resp, err := n.Client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if err := local.CheckStatus(resp); err != nil {
		return nil, err
	}
	b, err := api.ReadAll(resp.Body, maxScrape)
	if err != nil {
		return nil, err
	}
	return parse(b)
}

// parse reads a page in Prometheus' text format.
func parse(b []byte) ([]*dto.MetricFamily, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	byName, err := parser.TextToMetricFamilies(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("parse metrics: %w", err)
	}
	out := make([]*dto.MetricFamily, 0, len(byName))
	for _, f := range byName {
		out = append(out, f)
	}
	return out, nil
}

// launcher makes series of what the launcher says over the bus, having no socket.
func (n Node) launcher(ctx context.Context) ([]*dto.MetricFamily, error) {
	ps, err := n.PS(ctx)
	if err != nil {
		return nil, err
	}
	restarts := family("realm_daemon_restarts", "How often the launcher has started a daemon again.", dto.MetricType_COUNTER)
	for _, d := range ps.Daemons {
		v := float64(d.Restarts)
		restarts.Metric = append(restarts.Metric, &dto.Metric{
			Label:   []*dto.LabelPair{daemonLabel(d.Daemon)},
			Counter: &dto.Counter{Value: &v},
		})
	}
	return []*dto.MetricFamily{restarts}, nil
}

func family(name, help string, kind dto.MetricType) *dto.MetricFamily {
	return &dto.MetricFamily{Name: &name, Help: &help, Type: &kind}
}
