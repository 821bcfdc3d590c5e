package api

import (
	"net/url"
	"strings"
)

// Daemon names a process of a node.
type Daemon string

// The daemons, and the two other users of the bus.
const (
	Casd     Daemon = "casd"
	Meshd    Daemon = "meshd"
	Runnerd  Daemon = "runnerd"
	Gatewayd Daemon = "gatewayd"
	Upgraded Daemon = "upgraded"
	Launcher Daemon = "launcher" // realm up itself
	CLI      Daemon = "cli"      // realm's other commands
)

// Daemons are those that the launcher starts, in this order.
func Daemons() []Daemon { return []Daemon{Casd, Meshd, Runnerd, Gatewayd, Upgraded} }

// Subjects of requests on the bus: "realm.DAEMON.VERB". The daemon in the
// subject answers; all but it may be given the right to ask.
const (
	SubjectReady     = "realm.launcher.ready"   // Ready -> empty
	SubjectPS        = "realm.launcher.ps"      // empty -> PSReply
	SubjectRestart   = "realm.launcher.restart" // RestartRequest -> empty, when it is ready again
	SubjectDown      = "realm.launcher.down"    // empty -> empty; then the node stops
	SubjectSubmit    = "realm.meshd.submit"     // DSSE envelope -> SubmitReply
	SubjectBatch     = "realm.meshd.batch"      // SubmitBatch -> SubmitBatchReply
	SubjectMesh      = "realm.meshd.status"     // empty -> MeshStatus
	SubjectProviders = "realm.meshd.providers"  // ProvidersRequest -> ProvidersReply
	SubjectAnnounce  = "realm.meshd.announce"   // AnnounceRequest -> empty
	SubjectMembers   = "realm.meshd.members"    // MembersRequest -> MembersReply
	SubjectHistory   = "realm.meshd.history"    // HistoryRequest -> HistoryReply
	SubjectClaim     = "realm.meshd.claim"      // ClaimNode -> empty, when the node has been claimed
	SubjectHoldings  = "realm.meshd.holdings"   // TellHoldings -> empty
	SubjectExplain   = "realm.runnerd.explain"  // ExplainRequest -> ExplainReply
)

// SubjectRequests is the subject under which d answers anything at all.
func SubjectRequests(d Daemon) string { return "realm." + string(d) + ".>" }

// SubjectLog is where a workload's new log lines appear, as [LogLine]s:
// "log.runnerd.KIND.NAME". It is a core subject: who does not listen misses them.
func SubjectLog(r Ref) string { return "log.runnerd." + string(r.Kind) + "." + string(r.Name) }

// ParseSubjectLog is the inverse of [SubjectLog].
func ParseSubjectLog(subject string) (Ref, bool) {
	rest, ok := strings.CutPrefix(subject, "log.runnerd.")
	kind, name, _ := strings.Cut(rest, ".")
	r := Ref{Kind: Kind(kind), Name: Name(name)}
	return r, ok && r.Validate() == nil
}

// SubjectEvent is where the changes of state of a workload on this node are told, as
// [Event]s: "event.runnerd.KIND.NAME". It is a core subject, too.
func SubjectEvent(r Ref) string { return "event.runnerd." + string(r.Kind) + "." + string(r.Name) }

// SubjectEvents is all that d may tell of events under.
func SubjectEvents(d Daemon) string { return "event." + string(d) + ".>" }

// SubjectDaemonLog is where a daemon's own new log lines appear: "log.launcher.DAEMON".
func SubjectDaemonLog(d Daemon) string { return "log.launcher." + string(d) }

// SubjectLogs is all that d may log under.
func SubjectLogs(d Daemon) string { return "log." + string(d) + ".>" }

// InboxPrefix is where replies to d arrive; nobody else may listen there.
func InboxPrefix(d Daemon) string { return "_INBOX." + string(d) }

// Key-value buckets of a node.
const (
	BucketIntents   = "intents"   // KeySlot -> DSSE envelope of the signer's newest intent; on disk
	BucketPeers     = "peers"     // PeerID -> PeerRecord; in memory, rebuilt by meshd
	BucketWorkloads = "workloads" // KeyWorkload -> WorkloadFact; in memory, rebuilt by runnerd and meshd
	BucketJobs      = "jobs"      // KeyRecord -> DSSE envelope of a JobRecord; on disk
)

// KeyIntent is what the keys about r begin with: "KIND.NAME".
func KeyIntent(r Ref) string { return string(r.Kind) + "." + string(r.Name) }

// KeySlot is the key in the intents bucket of what signer, a [KeyName], has last
// signed about r: "KIND.NAME.SIGNER".
func KeySlot(r Ref, signer Name) string { return KeyIntent(r) + "." + string(signer) }

// KeyWorkload is the key of a fact in the workloads bucket: "KIND.NAME.PEER".
func KeyWorkload(r Ref, p PeerID) string { return KeyIntent(r) + "." + string(p) }

// ParseKeyWorkload is the inverse of [KeyWorkload].
func ParseKeyWorkload(key string) (Ref, PeerID, bool) {
	f := strings.Split(key, ".")
	if len(f) != 3 {
		return Ref{}, "", false
	}
	r := Ref{Kind: Kind(f[0]), Name: Name(f[1])}
	p, err := ParsePeerID(f[2])
	return r, p, err == nil && r.Validate() == nil
}

// Gossip topics of a realm.
func TopicIntent(r RealmID) string { return "/realm/" + string(r) + "/intent/1" } // DSSE envelopes
func TopicPeer(r RealmID) string   { return "/realm/" + string(r) + "/peer/1" }   // FactBatches
func TopicJob(r RealmID) string    { return "/realm/" + string(r) + "/job/1" }    // RecordBatches

// Service is what a member offers to others over a libp2p stream that carries HTTP.
type Service string

// The services. Behind each stand routes of the daemon named beside it.
const (
	ServiceSync Service = "sync" // meshd
	ServiceBlob Service = "blob" // casd
	ServiceCall Service = "call" // runnerd
	ServiceNode Service = "node" // runnerd: how a member stands, for people
	ServiceJob  Service = "job"  // runnerd: claims, output and results of jobs
	// ServiceEnroll is the one that a node with an invite finds before it is a member.
	ServiceEnroll Service = "enroll" // meshd
)

// Protocol is the libp2p protocol id of a service in a realm.
func Protocol(r RealmID, s Service) string { return "/realm/" + string(r) + "/" + string(s) + "/1" }

// ProtocolClaim is the libp2p protocol of a node that waits for an owner.
const ProtocolClaim = "/realm/claim/1"

// ProtocolDHT is the prefix of the realm's Kademlia protocol.
func ProtocolDHT(r RealmID) string { return "/realm/" + string(r) }

// MDNSService is the DNS-SD service type that all nodes of all realms announce.
const MDNSService = "_realm._udp"

// Routes of HTTP on the daemons' Unix sockets, as patterns of [net/http.ServeMux].
const (
	RouteMetrics = "GET /metrics" // every daemon
	RoutePeer    = "/peers/{peer}/{service}/{path...}"

	RouteBlobPut   = "PUT /blobs"                   // body -> BlobInfo; ?sha256= is checked when given
	RouteBlobGet   = "GET /blobs/{sha256}"          // ranges; HEAD too; 404 when it is not here
	RouteBlobIndex = "GET /blobs/{sha256}/index"    // -> BlobIndex
	RouteBlobFetch = "POST /blobs/{sha256}/fetch"   // from peers when it is not here -> BlobInfo; ?size= is checked when given
	RouteChunkGet  = "GET /chunks/{sha256}"         // raw bytes
	RouteChunks    = "POST /chunks"                 // ChunksRequest -> chunks, each after its length
	RouteFunction  = "POST /functions/{name}"       // CallRequest -> CallReply
	RouteComponent = "/components/{name}/{path...}" // any method; path and query as the program sees them
	// RouteService reaches a port of a service, a job that is kept up: any method, upgrades
	// included. A port of [AnyPort] is the one that is for HTTP.
	RouteService = "/services/{job}/{port}/{path...}"

	RouteBlobs      = "GET /blobs"                 // -> BlobRecords, one a line
	RouteBlobHave   = "GET /blobs/{sha256}/have"   // -> Have, one a line, while its fetch goes on; 404 when nothing of it is here
	RouteBlobCopies = "GET /blobs/{sha256}/copies" // -> BlobCopies
	RoutePin        = "PUT /pins/{sha256}"         // keeps a blob that is here, on this node -> Empty
	RouteUnpin      = "DELETE /pins/{sha256}"      // -> Empty; 404 when it is not pinned here
	RouteTransfers  = "GET /transfers"             // -> TransfersReply
	RouteStorage    = "GET /storage"               // -> StorageStatus
	RouteCollect    = "POST /storage/gc"           // CollectRequest -> CollectReply
	RouteVerify     = "POST /storage/verify"       // reads every chunk -> VerifyProgress, one a line
	RouteImport     = "POST /files/import"         // ImportRequest, and a file -> FileProgress, one a line; 412: casd cannot use the file
	RouteExport     = "POST /files/export"         // ExportRequest, and a file -> likewise; 404 when the blob is not here
	RouteReferences = "GET /references"            // meshd: -> References, one a line; ETag, If-None-Match, and "Prefer: wait=SECONDS"

	RouteAccount = "GET /workloads/{kind}/{name}" // -> Account; ?tail= lines of its log, 0 to MaxAccountLog

	RouteExec      = "POST /exec"     // gatewayd: ExecRequest -> CallReply
	RouteFunctions = "GET /functions" // gatewayd: -> FunctionsReply
	RoutePeers     = "GET /peers"     // gatewayd: -> PeersReply

	RouteSyncDigests = "GET /intents"          // -> SyncDigests
	RouteSyncEntries = "POST /intents/entries" // SyncParts -> SyncEntries
	RouteSyncFetch   = "POST /intents/fetch"   // SyncFetch -> SyncIntents
	RouteSyncFacts   = "GET /facts"            // -> FactBatch, full
	RouteSyncPeers   = "GET /peers"            // -> PeerList

	RouteSyncRecords = "POST /records"           // RecordParts -> RecordBatch: what the caller lacks
	RouteJobs        = "GET /jobs"               // -> JobsReply; ?name= &state= &after= &limit=
	RouteJob         = "GET /jobs/{job}"         // -> JobStatus
	RouteJobLogs     = "GET /jobs/{job}/logs"    // -> JobLogLines, one a line; see JobLogQuery
	RouteJobExplain  = "GET /jobs/{job}/explain" // -> JobExplain
	RouteJobClaims   = "POST /jobs/claims"       // of a member: JobClaims -> JobAnswers
	RouteJobTake     = "POST /jobs/take"         // of a member: JobTake -> JobTaken
	RouteJobTail     = "POST /jobs/tail"         // of a member: JobTail -> Empty
	RouteJobVotes    = "POST /jobs/votes"        // of a member: JobVote -> JobVoted

	RouteVolumes      = "GET /volumes"                  // -> VolumesReply
	RouteVolumeFiles  = "GET /volumes/{volume}/files"   // -> VolumeFiles
	RouteVolumeExport = "POST /volumes/{volume}/export" // a signed VolumeRead -> a zip archive
	RouteSecretKey    = "POST /secrets/key"             // of a member: SecretAsk -> SecretGiven

	RouteEnroll = "POST /enroll" // EnrollRequest -> EnrollReply
	RouteClaim  = "POST /claim"  // ClaimRequest -> Empty
)

// HeaderHistory, on [RouteChunks] with zstd accepted, names chunks that the caller has
// and that are likely to be much like those it asks for: their digests, one after the
// other, in base64. A member that has all of them may pack its answer beside them.
const HeaderHistory = "Realm-History"

// HeaderNotAccepted, set to "1" on an error of runnerd's or meshd's own, says that
// nothing of the request was acted on (the program is unknown there or not ready,
// the peer is not connected), so that it may be sent elsewhere without running twice.
// meshd passes it on from peers as it is. [NotAcceptedUnknown] in place of "1" says that
// there is no such program there, or not yet: a member that has just started says so,
// too, whatever its facts say.
const HeaderNotAccepted = "Realm-Not-Accepted"

// NotAcceptedUnknown is a value of [HeaderNotAccepted].
const NotAcceptedUnknown = "unknown"

// HeaderInterrupted, set to "1" on an error of meshd's own, says that the way to the
// program broke with the request in its hands: whether it was acted on is not known.
// meshd passes it on from peers as it is.
const HeaderInterrupted = "Realm-Interrupted"

// HeaderFailed, set to "1" on an error of runnerd's own, says that the body tells why a
// program did not answer as it should have, which may hold what it has logged: it is for
// people who may know that.
const HeaderFailed = "Realm-Failed"

// HeaderPrefix says below which path a program is mounted, as clients see it. Programs get
// it, too.
const HeaderPrefix = "X-Forwarded-Prefix"

// HeaderKeeper, set to "1" on the answer of [RouteBlobGet] to HEAD, says that the member
// has the blob whole and keeps it for the realm, as far as it knows. Others rely on that
// when they remove theirs.
const HeaderKeeper = "Realm-Keeper"

// HeaderNew, on the answer of [RouteBlobPut], is how many bytes of the blob the store did
// not have, in decimal. What was here is not written again.
const HeaderNew = "Realm-New"

// HeaderConflict is on the answers of [ServiceSync] to a member whose key is used by
// several nodes: their addresses (multiaddrs), with commas between.
const HeaderConflict = "Realm-Conflict"

// PathPeer is the path on meshd's socket of a peer's route behind a service.
// path begins with a slash.
func PathPeer(p PeerID, s Service, path string) string {
	return "/peers/" + string(p) + "/" + string(s) + path
}

// Paths of the routes above, filled in.
func PathBlob(d Digest) string       { return "/blobs/" + d.String() }
func PathBlobIndex(d Digest) string  { return "/blobs/" + d.String() + "/index" }
func PathBlobFetch(d Digest) string  { return "/blobs/" + d.String() + "/fetch" }
func PathBlobHave(d Digest) string   { return "/blobs/" + d.String() + "/have" }
func PathBlobCopies(d Digest) string { return "/blobs/" + d.String() + "/copies" }
func PathPin(d Digest) string        { return "/pins/" + d.String() }
func PathChunk(d Digest) string      { return "/chunks/" + d.String() }
func PathFunction(n Name) string     { return "/functions/" + string(n) }
func PathComponent(n Name) string    { return "/components/" + string(n) }

// AnyPort is the port of a service that speaks HTTP: the one named http, or web, or else
// the first one whose protocol is http, or else the first one of TCP.
const AnyPort Name = "~"

// PathService is where [RouteService] begins for a port of a job.
func PathService(job, port Name) string { return "/services/" + string(job) + "/" + string(port) }

// PathBlobs is the path of [RouteBlobPut].
const PathBlobs = "/blobs"

// PathChunks is the path of [RouteChunks].
const PathChunks = "/chunks"

// Paths of routes of jobs.
const (
	PathJobs      = "/jobs"
	PathJobClaims = "/jobs/claims"
	PathJobTake   = "/jobs/take"
	PathJobTail   = "/jobs/tail"
	PathJobVotes  = "/jobs/votes"
)

// Paths of routes of volumes and secrets.
const (
	PathVolumes   = "/volumes"
	PathSecretKey = "/secrets/key"
)

// PathVolumeFiles is the path of [RouteVolumeFiles].
func PathVolumeFiles(v Name) string { return PathVolumes + "/" + string(v) + "/files" }

// PathVolumeExport is the path of [RouteVolumeExport].
func PathVolumeExport(v Name) string { return PathVolumes + "/" + string(v) + "/export" }

// PathJob is the path of [RouteJob]; job is as a person names it.
func PathJob(job string) string { return PathJobs + "/" + url.PathEscape(job) }

// PathJobLogs is the path of [RouteJobLogs].
func PathJobLogs(job string) string { return PathJob(job) + "/logs" }

// PathJobExplain is the path of [RouteJobExplain].
func PathJobExplain(job string) string { return PathJob(job) + "/explain" }

// PathAccount is the path of [RouteAccount].
func PathAccount(r Ref) string { return "/workloads/" + string(r.Kind) + "/" + string(r.Name) }
