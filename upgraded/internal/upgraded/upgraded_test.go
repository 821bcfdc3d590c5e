package upgraded

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/realm-mesh/realm/internal/kit/buildinfo"
)

func TestRunWaitsForItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reports := 0
		d := build(prometheus.NewRegistry(), func(context.Context, string) error { reports++; return nil })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- d.Run(ctx) }()
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("ended by itself: %v", err)
		default:
		}
		if reports != 1 {
			t.Errorf("reported ready %d times", reports)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestRunFailsIfItCannotReport(t *testing.T) {
	away := errors.New("launcher away")
	d := build(prometheus.NewRegistry(), func(context.Context, string) error { return away })
	if err := d.Run(t.Context()); !errors.Is(err, away) {
		t.Errorf("run: %v", err)
	}
}

func TestMetricsTellTheRelease(t *testing.T) {
	r := prometheus.NewRegistry()
	build(r, nil)
	families, err := r.Gather()
	if err != nil || len(families) != 1 || families[0].GetName() != "realm_release_info" {
		t.Fatalf("gathered %v, %v", families, err)
	}
	m := families[0].GetMetric()[0]
	if l := m.GetLabel()[0]; l.GetName() != "version" || l.GetValue() != buildinfo.Version || m.GetGauge().GetValue() != 1 {
		t.Errorf("metric %v", m)
	}
}
