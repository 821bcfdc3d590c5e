package keep

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/realm-mesh/realm/api"
)

// A realm of 10,000 programs with five versions each, of five members that have it all:
//
//	go test -run '^$' -bench Large -benchmem ./internal/keep
func BenchmarkLarge(b *testing.B) {
	var list []api.Reference
	for i := range 10_000 {
		for v := range api.KeptVersions {
			d := api.Sum(binary.BigEndian.AppendUint32(nil, uint32(10*i+v)))
			list = append(list, reference(api.BlobInfo{SHA256: d, Size: 1 << 20}, fmt.Sprintf("program-%d", i), uint64(v+1)))
		}
	}
	n := newNeeds("t", list)
	var text bytes.Buffer
	for _, r := range n.list {
		if err := json.NewEncoder(&text).Encode(r); err != nil {
			b.Fatal(err)
		}
	}
	k := New(testConfig(b.TempDir()), Parts{Has: func(api.Digest) bool { return true }, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	for i := range 5 {
		rec := live(i)
		rec.Self = i == 0
		k.roster.told(rec, time.Now())
	}
	k.take(n)
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			if l, err := readReferences(bytes.NewReader(text.Bytes())); err != nil || len(l) != len(list) {
				b.Fatal(len(l), err)
			}
		}
	})
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			if err := k.writeNeeds(n); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("plan", func(b *testing.B) {
		for b.Loop() {
			k.plan(time.Now())
		}
	})
	b.Run("is it needed here", func(b *testing.B) {
		for b.Loop() {
			k.NeededHere(list[len(list)/3].Blob)
		}
	})
}
