package meshd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
)

// says puts a record of a job into the bucket, as runnerd does.
func (b *box) says(t *testing.T, r *meshtest.Realm, run api.RunKey) (key string) {
	t.Helper()
	rec := api.JobRecord{Realm: r.Pin.Realm, Root: api.Sum([]byte("root")), Job: "build-1", Run: run, Epoch: 1, Peer: b.id(), Seq: 1,
		State: api.ExecRunning, Claimed: time.Now().UTC()}
	raw, err := intent.SignRecord(rec, b.key)
	if err != nil {
		t.Fatal(err)
	}
	key = api.KeyRecord(rec.Exec())
	put(t, b.bucket(t, api.BucketJobs), key, json.RawMessage(raw))
	return key
}

// loseJobs removes the bucket's files.
func (b *box) loseJobs(t *testing.T) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(b.home.Bus(), "jetstream", "*", "streams", "KV_jobs"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	if err := os.RemoveAll(found[0]); err != nil {
		t.Fatal(err)
	}
}

// TestRecordsOverTheBus has records of jobs come to a member's bucket, also when it could
// not be written for a while, and when all that was in it has been lost.
func TestRecordsOverTheBus(t *testing.T) {
	r, boxes, procs := pair(t)
	there := func(value []byte) bool { return value != nil }
	first := boxes[0].says(t, r, "0")
	boxes[1].awaitKey(t, api.BucketJobs, first, "what one says is there", there)

	put(t, boxes[0].bucket(t, api.BucketJobs), "not.a.record", "garbage")
	var second string
	boxes[1].interruptBus(t, func() {
		second = boxes[0].says(t, r, "1")
		boxes[1].loseJobs(t)
	})
	for _, key := range []string{first, second} {
		boxes[1].awaitKey(t, api.BucketJobs, key, "it is written when the bus is back", there)
	}
	boxes[0].interruptBus(t, func() { boxes[0].loseJobs(t) })
	boxes[0].awaitKey(t, api.BucketJobs, second, "what it had said itself is there again", there)

	procs[1].kill(t)
	boxes[1].start(t, boot(procs[0]))
	third := boxes[0].says(t, r, "2")
	boxes[1].awaitKey(t, api.BucketJobs, third, "after a restart", there)
}
