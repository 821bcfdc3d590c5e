package busserver

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/realm-mesh/realm/api"
)

// rights is what a user of the bus may do, in the words of the api package.
type rights struct {
	read  []string // buckets
	write []string // buckets
	ask   []string // subjects of requests
	say   []string // other subjects to publish under
	hear  []string // other subjects to listen to
	serve bool     // answers requests under its own name
	admin bool     // makes buckets
}

var allBuckets = []string{api.BucketIntents, api.BucketPeers, api.BucketWorkloads, api.BucketJobs}

// What any daemon logs, and tells of events.
const (
	allLogs   = "log.>"
	allEvents = "event.>"
)

// rightsOf is the table: it grants what the daemon's work needs, as it is now.
func rightsOf(d api.Daemon) rights {
	switch d {
	case api.Casd:
		return rights{
			read: []string{api.BucketPeers, api.BucketWorkloads},
			ask:  []string{api.SubjectReady, api.SubjectProviders, api.SubjectAnnounce}, serve: true,
		}
	case api.Meshd:
		return rights{read: allBuckets, write: allBuckets, ask: []string{api.SubjectReady, api.SubjectPS}, serve: true}
	case api.Runnerd:
		return rights{
			read: allBuckets, write: []string{api.BucketWorkloads, api.BucketJobs},
			ask:   []string{api.SubjectReady, api.SubjectPS, api.SubjectHoldings},
			say:   []string{api.SubjectLogs(api.Runnerd), api.SubjectEvents(api.Runnerd)},
			serve: true,
		}
	case api.Gatewayd:
		return rights{
			read: allBuckets,
			ask:  []string{api.SubjectReady, api.SubjectMesh, api.SubjectMembers, api.SubjectHistory, api.SubjectPS},
			hear: []string{allLogs, allEvents}, serve: true,
		}
	case api.Upgraded:
		return rights{ask: []string{api.SubjectReady}, serve: true}
	case api.CLI:
		return rights{
			read: allBuckets,
			ask: []string{api.SubjectSubmit, api.SubjectBatch, api.SubjectExplain, api.SubjectMesh, api.SubjectProviders,
				api.SubjectMembers, api.SubjectHistory, api.SubjectClaim,
				api.SubjectPS, api.SubjectRestart, api.SubjectDown},
			hear: []string{allLogs, allEvents},
		}
	case api.Launcher:
		return rights{say: []string{api.SubjectLogs(api.Launcher)}, serve: true, admin: true}
	}
	return rights{}
}

// users are all who have a key of the bus.
func users() []api.Daemon { return append(api.Daemons(), api.CLI, api.Launcher) }

// subjects turns the rights of d into subjects that it may publish to and subscribe.
func (r rights) subjects(d api.Daemon) (publish, subscribe []string) {
	publish = slices.Concat(r.ask, r.say)
	subscribe = append([]string{api.InboxPrefix(d) + ".>"}, r.hear...)
	for _, b := range r.read {
		publish = append(publish, readSubjects(b)...)
	}
	for _, b := range r.write {
		publish = append(publish, writeSubjects(b)...)
	}
	if r.serve {
		publish = append(publish, "_INBOX.*.>")
		subscribe = append(subscribe, "$SRV.PING", "$SRV.INFO", "$SRV.STATS",
			"$SRV.*."+string(d), "$SRV.*."+string(d)+".*", api.SubjectRequests(d))
	}
	if r.admin {
		publish = append(publish, "$JS.API.INFO")
		for _, b := range allBuckets {
			publish = append(publish, expand(b, "$JS.API.STREAM.INFO.KV_%", "$JS.API.STREAM.CREATE.KV_%", "$JS.API.STREAM.UPDATE.KV_%")...)
		}
	}
	slices.Sort(publish)
	slices.Sort(subscribe)
	return slices.Compact(publish), slices.Compact(subscribe)
}

// readSubjects are what the client publishes to when it opens a bucket, gets a key
// and watches. Without the flow control subject a watch over many keys stalls.
func readSubjects(bucket string) []string {
	return expand(bucket,
		"$JS.API.STREAM.INFO.KV_%",
		"$JS.API.DIRECT.GET.KV_%.$KV.%.>",
		"$JS.API.CONSUMER.CREATE.KV_%.*.$KV.%.>",
		"$JS.API.CONSUMER.DELETE.KV_%.*",
		"$JS.FC.KV_%.>")
}

// writeSubjects are for puts; creating a key that was deleted reads it first.
func writeSubjects(bucket string) []string {
	return expand(bucket,
		"$KV.%.>",
		"$JS.API.STREAM.INFO.KV_%",
		"$JS.API.DIRECT.GET.KV_%.$KV.%.>")
}

func expand(bucket string, patterns ...string) []string {
	for i, p := range patterns {
		patterns[i] = strings.ReplaceAll(p, "%", bucket)
	}
	return patterns
}

// permissions is [rights.subjects] for the server: what is not allowed is refused.
func (r rights) permissions(d api.Daemon) *server.Permissions {
	publish, subscribe := r.subjects(d)
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: publish},
		Subscribe: &server.SubjectPermission{Allow: subscribe},
	}
}

// table prints the rights of all users, for people who review a change of them.
func table() string {
	var b strings.Builder
	for _, d := range users() {
		publish, subscribe := rightsOf(d).subjects(d)
		fmt.Fprintf(&b, "%s\n", d)
		for _, s := range publish {
			fmt.Fprintf(&b, "  publish   %s\n", s)
		}
		for _, s := range subscribe {
			fmt.Fprintf(&b, "  subscribe %s\n", s)
		}
	}
	return b.String()
}
