package busserver

import (
	"context"
	"fmt"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/realm-mesh/realm/api"
)

// Sizes of the buckets, in bytes. A put over them is refused, and what is there stays.
const (
	maxIntents   = 1 << 30 // api.MaxSync intents of 10 KiB; most have less than 2 KiB
	maxPeers     = 32 << 20
	maxWorkloads = 128 << 20
	maxJobs      = 512 << 20 // 20,000 records, as many as meshd keeps, of the largest size
	maxStore     = 2 * (maxIntents + maxJobs)
	maxMemory    = 2 * (maxPeers + maxWorkloads)
)

func bucketConfigs() []jetstream.KeyValueConfig {
	return []jetstream.KeyValueConfig{
		{Bucket: api.BucketIntents, Storage: jetstream.FileStorage, MaxBytes: maxIntents, History: 1, MaxValueSize: maxPayload},
		{Bucket: api.BucketPeers, Storage: jetstream.MemoryStorage, MaxBytes: maxPeers, History: 1, MaxValueSize: maxPayload},
		{Bucket: api.BucketJobs, Storage: jetstream.FileStorage, MaxBytes: maxJobs, History: 1, MaxValueSize: maxPayload},
		{Bucket: api.BucketWorkloads, Storage: jetstream.MemoryStorage, MaxBytes: maxWorkloads, History: 1, MaxValueSize: maxPayload},
	}
}

// makeBuckets creates what is missing. It is called before anybody else can connect.
func makeBuckets(ctx context.Context, srv *server.Server, login nats.Option) error {
	nc, err := nats.Connect("", nats.InProcessServer(srv), login, nats.CustomInboxPrefix(api.InboxPrefix(api.Launcher)))
	if err != nil {
		return fmt.Errorf("make buckets: %w", err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("make buckets: %w", err)
	}
	for _, c := range bucketConfigs() {
		kv, err := js.CreateOrUpdateKeyValue(ctx, c)
		if err == nil {
			err = allowBatches(ctx, js, kv)
		}
		if err != nil {
			return fmt.Errorf("make bucket %s: %w", c.Bucket, err)
		}
	}
	return nil
}

// allowBatches has a bucket take several changes as one, with one wait for the disk.
// The client has no word for that when it makes a bucket.
func allowBatches(ctx context.Context, js jetstream.JetStream, kv jetstream.KeyValue) error {
	s, err := kv.Status(ctx)
	if err != nil {
		return err
	}
	info, ok := s.(*jetstream.KeyValueBucketStatus)
	if !ok {
		return fmt.Errorf("its status is a %T", s)
	}
	c := info.StreamInfo().Config
	c.AllowAtomicPublish = true
	_, err = js.UpdateStream(ctx, c)
	return err
}
