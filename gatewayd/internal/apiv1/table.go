package apiv1

import (
	"context"

	"github.com/realm-mesh/realm/api"
)

// endpoint is one row of the table.
type endpoint struct {
	path    string // below [api.PathAPI], as a pattern of [net/http.ServeMux]
	id      string // operationId
	about   string
	params  []param
	reply   any  // a value of the type of the answer
	missing bool // it may answer 404
	serve   func(ctx context.Context, n *Node, a args) (any, error)
}

// param is one parameter: in the path where that names it, else in the query.
type param struct {
	name    string
	about   string
	integer bool
	min     int
	max     int      // the largest number; of a text, the most bytes
	enum    []string // what it may be; nil: any text
	list    bool     // several of enum, with commas between
}

// Parameters that several routes have.
var (
	limit    = param{name: "limit", about: "most entries of the page", integer: true, min: 1, max: api.MaxReportPage}
	peer     = param{name: "peer", about: "id of a member", max: 64}
	program  = param{name: "name", about: "name of a program", max: 64}
	job      = param{name: "job", about: "id of a job, or what only one id begins with", max: 128}
	grepped  = param{name: api.QueryGrep, about: "only lines that match this regular expression of RE2", max: 256}
	lines    = param{name: api.QueryTail, about: "last lines; 200 without it", integer: true, max: maxLines}
	newer    = param{name: api.QuerySince, about: "only what is newer than this instant of RFC 3339", max: 64}
	kind     = param{name: "kind", about: "kind of the intents", max: 20}
	manifest = param{name: "name", about: "name of a manifest", max: 64}
	thing    = param{name: "name", about: "name of what the intents are about", max: 64}
)

func after(what string, most int) param {
	return param{name: "after", about: "begins behind this " + what + ": the next of the page before", max: most}
}

// table is all that is answered. The document and the mux are made of it.
func table() []endpoint {
	return []endpoint{
		{path: "/node", id: "getNode", about: "This node: its id, its realm, its daemons.", reply: api.NodeReport{}, serve: node},
		{path: "/peers", id: "listPeers", about: "What this node knows of members: addresses, capacity, who is connected.",
			params: []param{after("peer", 64), limit}, reply: api.PeersReport{}, serve: peers},
		{path: "/peers/{peer}", id: "getPeer", about: "What this node knows of one member.",
			params: []param{peer}, reply: api.PeerRecord{}, missing: true, serve: onePeer},
		{path: "/members", id: "listMembers", about: "What the signed intents say of members: who let them in, their standing and roles.",
			params: []param{after("peer", 64)}, reply: api.MembersReport{}, serve: members},
		{path: "/components", id: "listComponents", about: "Components, and on which members they are.",
			params: []param{after("name", 64), limit}, reply: api.WorkloadsReport{}, serve: workloads(api.KindComponent)},
		{path: "/components/{name}", id: "getComponent", about: "One component.",
			params: []param{program}, reply: api.WorkloadReport{}, missing: true, serve: workload(api.KindComponent)},
		{path: "/components/{name}/history", id: "getComponentHistory", about: "Versions of a component that were signed.",
			params: []param{program}, reply: api.HistoryReport{}, missing: true, serve: history(api.KindComponent)},
		{path: "/functions", id: "listFunctions", about: "Functions, and on which members they are.",
			params: []param{after("name", 64), limit}, reply: api.WorkloadsReport{}, serve: workloads(api.KindFunction)},
		{path: "/functions/{name}", id: "getFunction", about: "One function.",
			params: []param{program}, reply: api.WorkloadReport{}, missing: true, serve: workload(api.KindFunction)},
		{path: "/functions/{name}/history", id: "getFunctionHistory", about: "Versions of a function that were signed.",
			params: []param{program}, reply: api.HistoryReport{}, missing: true, serve: history(api.KindFunction)},
		{path: "/jobs", id: "listJobs", about: "Jobs, the newest first.",
			params: []param{{name: "name", about: "only those whose id begins with it", max: 128},
				{name: "state", about: "only those in these states", enum: texts(api.JobStates()), list: true},
				after("job", 256), limit},
			reply: api.JobsReply{}, serve: jobs},
		{path: "/jobs/{job}", id: "getJob", about: "One job, with its newest runs. Values of its environment are left out.",
			params: []param{job}, reply: api.JobStatus{}, missing: true, serve: oneJob},
		{path: "/jobs/{job}/explain", id: "explainJob", about: "Why a job runs where it does, or does not.",
			params: []param{job}, reply: api.JobExplain{}, missing: true, serve: explainJob},
		{path: "/jobs/{job}/history", id: "getJobHistory", about: "Versions of a job that were signed.",
			params: []param{job}, reply: api.HistoryReport{}, missing: true, serve: jobHistory},
		{path: "/jobs/{job}/logs", id: "getJobLogs", about: "The last lines that a job wrote, wherever it ran.",
			params: []param{job, {name: api.QueryRun, about: "only of this run", max: 64},
				{name: api.QueryEpoch, about: "only of this execution of each run", integer: true, min: 1, max: api.MaxEpoch},
				lines, newer, grepped},
			reply: api.JobLogReport{}, missing: true, serve: jobLogs},
		{path: "/manifests", id: "listManifests", about: "Manifests that were applied.",
			params: []param{after("key", 256), limit}, reply: api.IntentsReport{}, serve: manifests},
		{path: "/manifests/{name}", id: "getManifest", about: "Versions of a manifest that were signed, the current one among them.",
			params: []param{manifest}, reply: api.HistoryReport{}, missing: true, serve: history(api.KindManifest)},
		{path: "/intents", id: "listIntents", about: "All that this node holds of intents: each signer's newest about each thing, whether it counts or not.",
			params: []param{{name: "kind", about: "only of this kind", max: 20}, after("key", 256), limit}, reply: api.IntentsReport{}, serve: intents},
		{path: "/intents/{kind}/{name}", id: "getIntents", about: "What was signed about one thing, and what has become of it.",
			params: []param{kind, thing}, reply: api.HistoryReport{}, missing: true, serve: intentHistory},
		{path: "/storage", id: "getStorage", about: "What this node's store holds.", reply: api.StorageStatus{}, serve: storage},
		{path: "/transfers", id: "listTransfers", about: "Blobs that are on their way to this node.", reply: api.TransfersReply{}, serve: transfers},
		{path: "/events", id: "listEvents", about: "What happened lately: the last 1,024 events. /events, not below /api/v1, goes on with what happens.",
			params: []param{{name: "type", about: "only of these types", enum: texts(api.NoticeTypes()), list: true}, after("event", 40), limit},
			reply:  api.EventsReport{}, serve: events},
	}
}

func texts[T ~string](all []T) (out []string) {
	for _, t := range all {
		out = append(out, string(t))
	}
	return out
}
