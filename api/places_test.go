package api

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/places.golden anew")

const (
	somePeer  PeerID  = "12D3KooWQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQAAAAAAAA"
	someRealm RealmID = "abcdefghijklmnopqrstuvwxyz234567"
)

var (
	someRef    = Ref{Kind: KindFunction, Name: "double"}
	someDigest = Sum([]byte("some"))
	someKey    = KeyName(bytes.Repeat([]byte{7}, 32))
)

// made are the places that functions make.
var made = map[string]string{
	"Daemons":          fmt.Sprint(Daemons()),
	"SubjectRequests":  SubjectRequests(Casd),
	"SubjectLog":       SubjectLog(someRef),
	"ParseSubjectLog":  "", // the inverse: TestParseSubjectLog
	"SubjectEvent":     SubjectEvent(someRef),
	"SubjectEvents":    SubjectEvents(Runnerd),
	"SubjectDaemonLog": SubjectDaemonLog(Casd),
	"SubjectLogs":      SubjectLogs(Runnerd),
	"InboxPrefix":      InboxPrefix(CLI),
	"KeyIntent":        KeyIntent(someRef),
	"KeySlot":          KeySlot(someRef, someKey),
	"KeyWorkload":      KeyWorkload(someRef, somePeer),
	"ParseKeyWorkload": "", // the inverse: TestParseKeyWorkload
	"TopicIntent":      TopicIntent(someRealm),
	"TopicPeer":        TopicPeer(someRealm),
	"TopicJob":         TopicJob(someRealm),
	"Protocol":         Protocol(someRealm, ServiceBlob),
	"ProtocolDHT":      ProtocolDHT(someRealm),
	"PathPeer":         PathPeer(somePeer, ServiceBlob, PathChunk(someDigest)),
	"PathBlob":         PathBlob(someDigest),
	"PathBlobIndex":    PathBlobIndex(someDigest),
	"PathBlobFetch":    PathBlobFetch(someDigest),
	"PathBlobHave":     PathBlobHave(someDigest),
	"PathBlobCopies":   PathBlobCopies(someDigest),
	"PathPin":          PathPin(someDigest),
	"PathChunk":        PathChunk(someDigest),
	"PathFunction":     PathFunction("double"),
	"PathComponent":    PathComponent("web"),
	"PathService":      PathService("web-1", AnyPort),
	"PathAccount":      PathAccount(someRef),
	"PathVolumeFiles":  PathVolumeFiles("cart"),
	"PathVolumeExport": PathVolumeExport("cart"),
	"PathJob":          PathJob("build-1~a6b46d"),
	"PathJobLogs":      PathJobLogs("build-1"),
	"PathJobExplain":   PathJobExplain("a/b"),
}

// TestPlaces holds every subject, bucket, topic, protocol, route and path against
// testdata/places.golden. A change there is a change of the wire: the history in
// doc.go gets a line. Write it anew with: go test -run TestPlaces -update
func TestPlaces(t *testing.T) {
	var table strings.Builder
	consts, funcs := placesInSource(t)
	for _, c := range consts {
		fmt.Fprintf(&table, "%-18s %s\n", c[0], c[1])
	}
	for _, name := range funcs {
		value, ok := made[name]
		if !ok {
			t.Errorf("places.go has %s, the table of this test has not", name)
		}
		if value != "" {
			fmt.Fprintf(&table, "%-18s %s\n", name+"()", value)
		}
	}
	const golden = "testdata/places.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := table.String(); got != string(want) {
		t.Errorf("the places are\n%s\nand were\n%s", got, want)
	}
}

// placesInSource returns the exported string constants and functions of places.go,
// in their order.
func placesInSource(t *testing.T) (consts [][2]string, funcs []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "places.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Recv == nil {
				funcs = append(funcs, d.Name.Name)
			}
		case *ast.GenDecl:
			if d.Tok == token.CONST {
				consts = append(consts, literals(t, d)...)
			}
		}
	}
	return consts, funcs
}

func literals(t *testing.T, d *ast.GenDecl) (out [][2]string) {
	t.Helper()
	for _, spec := range d.Specs {
		v := spec.(*ast.ValueSpec)
		for i, name := range v.Names {
			lit, ok := v.Values[i].(*ast.BasicLit)
			if !ok {
				t.Fatalf("%s is no literal: write the place out", name.Name)
			}
			s, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, [2]string{name.Name, s})
		}
	}
	return out
}

// Subjects, keys and topics stay inside what the bus and gossip take, and each
// request is answered by a daemon that exists.
func TestSubjects(t *testing.T) {
	consts, _ := placesInSource(t)
	seen := map[string]string{}
	answering := append(Daemons(), Launcher)
	for _, c := range consts {
		name, subject := c[0], c[1]
		if !strings.HasPrefix(name, "Subject") {
			continue
		}
		if other := seen[subject]; other != "" {
			t.Errorf("%s and %s are the same subject", name, other)
		}
		seen[subject] = name
		if !slices.ContainsFunc(answering, func(d Daemon) bool {
			return strings.HasPrefix(subject, strings.TrimSuffix(SubjectRequests(d), ">"))
		}) {
			t.Errorf("%s: nobody answers %q", name, subject)
		}
	}
	longest := Name(strings.Repeat("n", MaxNameLen))
	for _, k := range []Kind{KindComponent, KindFunction, Kind(strings.Repeat("k", maxKind))} {
		for _, key := range []string{KeyWorkload(Ref{k, longest}, somePeer), KeySlot(Ref{k, longest}, someKey)} {
			if len(key) > 256 {
				t.Errorf("key %s has %d bytes", key, len(key))
			}
		}
	}
}

func TestParseKeyWorkload(t *testing.T) {
	key := KeyWorkload(someRef, somePeer)
	if r, p, ok := ParseKeyWorkload(key); !ok || r != someRef || p != somePeer {
		t.Errorf("%s: %v, %v, %v", key, r, p, ok)
	}
	for _, bad := range []string{"", "function", "function.double", key + ".x", "." + key, "no-kind.double." + string(somePeer),
		"function.Double." + string(somePeer), "function..", "function.double.12D3KooW"} {
		if r, p, ok := ParseKeyWorkload(bad); ok {
			t.Errorf("%q: taken for %v of %v", bad, r, p)
		}
	}
}

func TestParseSubjectLog(t *testing.T) {
	if r, ok := ParseSubjectLog(SubjectLog(someRef)); !ok || r != someRef {
		t.Errorf("%v, %v", r, ok)
	}
	for _, bad := range []string{"", "log.runnerd", "log.runnerd.function", "log.runnerd.function.", "log.runnerd.function.double.x", "log.runnerd.no-kind.double",
		"log.runnerd..double", SubjectDaemonLog(Casd), SubjectEvent(someRef), SubjectLogs(Runnerd)} {
		if r, ok := ParseSubjectLog(bad); ok {
			t.Errorf("%q: taken for %v", bad, r)
		}
	}
}

// The routes of each daemon stand side by side in one mux, and the paths that are
// made for them lead to them.
func TestRoutes(t *testing.T) {
	daemons := map[Daemon]map[string]string{
		Casd: {
			RouteMetrics:    "GET /metrics",
			RouteBlobPut:    "PUT /blobs",
			RouteBlobGet:    "GET " + PathBlob(someDigest),
			RouteBlobIndex:  "GET " + PathBlobIndex(someDigest),
			RouteBlobFetch:  "POST " + PathBlobFetch(someDigest),
			RouteChunkGet:   "GET " + PathChunk(someDigest),
			RouteChunks:     "POST " + PathChunks,
			RouteBlobs:      "GET /blobs",
			RouteBlobHave:   "GET " + PathBlobHave(someDigest),
			RouteBlobCopies: "GET " + PathBlobCopies(someDigest),
			RoutePin:        "PUT " + PathPin(someDigest),
			RouteUnpin:      "DELETE " + PathPin(someDigest),
			RouteTransfers:  "GET /transfers",
			RouteStorage:    "GET /storage",
			RouteCollect:    "POST /storage/gc",
			RouteVerify:     "POST /storage/verify",
			RouteImport:     "POST /files/import",
			RouteExport:     "POST /files/export",
		},
		Meshd: {
			RouteMetrics:     "GET /metrics",
			RoutePeer:        "POST " + PathPeer(somePeer, ServiceCall, PathFunction("double")),
			RouteSyncDigests: "GET /intents",
			RouteSyncEntries: "POST /intents/entries",
			RouteSyncFetch:   "POST /intents/fetch",
			RouteSyncFacts:   "GET /facts",
			RouteSyncPeers:   "GET /peers",
			RouteEnroll:      "POST /enroll",
			RouteClaim:       "POST /claim",
			RouteReferences:  "GET /references",
			RouteSyncRecords: "POST /records",
		},
		Runnerd: {
			RouteMetrics:   "GET /metrics",
			RouteFunction:  "POST " + PathFunction("double"),
			RouteComponent: "DELETE " + PathComponent("web") + "/a/b?c=d",
			RouteService:   "GET " + PathService("build-1", AnyPort) + "/a/b?c=d",
			RouteAccount:   "GET " + PathAccount(someRef) + "?tail=10",

			RouteJobs:       "GET " + PathJobs + "?name=build",
			RouteJob:        "GET " + PathJob("build-1~a6b46d"),
			RouteJobLogs:    "GET " + PathJobLogs("build-1"),
			RouteJobExplain: "GET " + PathJobExplain("build-1"),
			RouteJobClaims:  "POST " + PathJobClaims,
			RouteJobTake:    "POST " + PathJobTake,
			RouteJobTail:    "POST " + PathJobTail,
			RouteJobVotes:   "POST " + PathJobVotes,

			RouteVolumes:      "GET " + PathVolumes,
			RouteVolumeFiles:  "GET " + PathVolumeFiles("cart"),
			RouteVolumeExport: "POST " + PathVolumeExport("cart"),
			RouteSecretKey:    "POST " + PathSecretKey,
		},
		Gatewayd: {
			RouteMetrics:   "GET /metrics",
			RouteExec:      "POST /exec",
			RouteFunctions: "GET /functions",
			RoutePeers:     "GET /peers",
		},
	}
	tested := map[string]bool{}
	for d, routes := range daemons {
		mux := http.NewServeMux()
		for pattern := range routes {
			tested[pattern] = true
			mux.Handle(pattern, http.NotFoundHandler()) // panics where two conflict
		}
		for want, request := range routes {
			method, target, _ := strings.Cut(request, " ")
			if _, got := mux.Handler(httptest.NewRequest(method, target, nil)); got != want {
				t.Errorf("%s: %s leads to %q, want %q", d, request, got, want)
			}
		}
	}
	consts, _ := placesInSource(t)
	for _, c := range consts {
		if strings.HasPrefix(c[0], "Route") && !tested[c[1]] {
			t.Errorf("%s (%s) is of no daemon in this test", c[0], c[1])
		}
	}
}
