package config

import (
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

var owner = keys.PublicOf(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))).String()

const realm api.RealmID = "qhaumhmcaksy4qtfjsvy75n6u4nrigre"

func on(b bool) *bool { return &b }

// clean takes all settings out of the environment of the test.
func clean(t testing.TB) {
	t.Helper()
	for _, s := range settings {
		t.Setenv(s.env(), "")
	}
}

func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func defaults() Node {
	return Node{HTTPListen: DefaultHTTPListen, ManageListen: DefaultManageListen, EdgeListen: DefaultEdgeListen, EdgeTLSListen: DefaultEdgeTLSListen, MDNS: on(true)}
}

func all() Node {
	quarter := 0.25
	return Node{Owner: owner, Bootstrap: []string{"/ip4/192.0.2.1/tcp/4001/p2p/X", "/dns/a.example/udp/1/quic-v1/p2p/Y"}, Roles: []string{"edge", "gpu"},
		ListenPort: 4001, HTTPListen: "127.0.0.1:81", ManageListen: "[::1]:82", MetricsListen: ":83", MDNS: on(false),
		EdgeListen: ":84", EdgeTLSListen: "192.0.2.7:85", EdgeCerts: []string{folder("a.pem")}, EdgeKeys: []string{folder("a key.pem")}, ACMEDirectory: "letsencrypt", ACMEEmail: "ops@example.org", ACMERoot: folder("root.pem"),
		Realm: realm, Tofu: api.Duration(10 * time.Minute), Client: true,
		CapacityCPUs: 8, CapacityMB: 1 << 20,
		ProgramMemoryMB: 64, ProgramMemoryMaxMB: 1024, ProgramFuel: 1e9, ProgramFuelMax: 1e18, ProgramEpochMS: 500, ProgramEpochMaxMS: 60_000, OTLPEndpoint: "http://127.0.0.1:4318", TraceRatio: &quarter, AccessLog: true, StorageQuotaMB: 2048, UploadMBS: 12.5, DownloadMBS: 1e5, Mounts: []string{folder("data"), folder("our files")}}
}

// folder is the absolute path of a folder, as this system writes it.
func folder(name string) string {
	path, err := filepath.Abs(name)
	if err != nil {
		panic(err)
	}
	return path
}

func TestLoad(t *testing.T) {
	tests := []struct {
		name, file string
		env        map[string]string
		want       func(*Node)
	}{
		{"nothing", "", nil, func(*Node) {}},
		{"comments", "# all defaults\n\n", nil, func(*Node) {}},
		{"file", "listen_port = 7\nroles = ['a', 'b']\nmdns = false\n", nil, func(n *Node) { n.ListenPort, n.Roles, n.MDNS = 7, []string{"a", "b"}, on(false) }},
		{"environment", "", map[string]string{"REALM_LISTEN_PORT": "8", "REALM_ROLES": "a, b,c", "REALM_MDNS": "0", "REALM_OWNER": owner},
			func(n *Node) { n.ListenPort, n.Roles, n.MDNS, n.Owner = 8, []string{"a", "b", "c"}, on(false), owner }},
		{"membership", "owner = '" + owner + "'\nrealm = '" + string(realm) + "'", map[string]string{"REALM_TOFU": "90s", "REALM_CLIENT": "1"},
			func(n *Node) { n.Owner, n.Realm, n.Tofu, n.Client = owner, realm, api.Duration(90*time.Second), true }},
		{"capacity", "capacity_cpus = 4\ncapacity_mb = 512\nmounts = ['" + folder("a b") + "']", map[string]string{"REALM_CAPACITY_MB": "1024"},
			func(n *Node) { n.CapacityCPUs, n.CapacityMB, n.Mounts = 4, 1024, []string{folder("a b")} }},
		{"storage", "storage_quota_mb = 512\nupload_mb_s = 2\ndownload_mb_s = 0.5", map[string]string{"REALM_UPLOAD_MB_S": "1e3", "REALM_STORAGE_QUOTA_MB": "64"},
			func(n *Node) { n.StorageQuotaMB, n.UploadMBS, n.DownloadMBS = 64, 1000, 0.5 }},
		{"mounts in the environment", "mounts = ['" + folder("a") + "']", map[string]string{"REALM_MOUNTS": folder("b c") + ", " + folder("d")},
			func(n *Node) { n.Mounts = []string{folder("b c"), folder("d")} }},
		{"another owner, another realm", "owner = 'ed25519:9sKbNTnJfUQ3GmwkkDRqmkgFXqiu2sFDEWWtDsQmPbn5'\nrealm = '" + string(realm) + "'", map[string]string{"REALM_OWNER": owner},
			func(n *Node) { n.Owner = owner }},
		{"the same owner", "owner = '" + owner + "'\nrealm = '" + string(realm) + "'", map[string]string{"REALM_OWNER": owner},
			func(n *Node) { n.Owner, n.Realm = owner, realm }},
		{"environment over file", "listen_port = 7\nroles = ['a']\nmdns = false\nhttp_listen = ':1'", map[string]string{"REALM_LISTEN_PORT": "8", "REALM_ROLES": "z", "REALM_MDNS": "true"},
			func(n *Node) { n.ListenPort, n.Roles, n.MDNS, n.HTTPListen = 8, []string{"z"}, on(true), ":1" }},
		{"empty variables say nothing", "listen_port = 7", map[string]string{"REALM_LISTEN_PORT": "", "REALM_MDNS": ""}, func(n *Node) { n.ListenPort = 7 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clean(t)
			for k, v := range tt.env {
				t.Setenv(k, v)
			}
			want := defaults()
			tt.want(&want)
			got, err := Load(write(t, tt.file))
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v\nwant %+v", got, err, want)
			}
		})
	}
	clean(t)
	if got, err := Load(filepath.Join(t.TempDir(), "none")); err != nil || !reflect.DeepEqual(got, defaults()) {
		t.Errorf("no file: %+v, %v", got, err)
	}
}

// Whatever a person has to mend is ErrInvalid, and says what and where.
func TestLoadRefuses(t *testing.T) {
	tests := []struct {
		name, file string
		env        [2]string
		text       string
	}{
		{"unknown key", "ownr = 'x'", [2]string{}, "ownr"},
		{"unknown table", "[mesh]\nport = 1", [2]string{}, "mesh"},
		{"no TOML", "listen_port = ", [2]string{}, "line 1"},
		{"second line", "mdns = true\nlisten_port = [\n", [2]string{}, "line"},
		{"wrong type", "\nlisten_port = 'x'", [2]string{}, "line 2, column"},
		{"twice", "mdns = true\nmdns = false", [2]string{}, "mdns"},
		{"too large", "#" + strings.Repeat("x", maxFile), [2]string{}, "too large"},
		{"owner", "owner = 'me'", [2]string{}, "realm key show"},
		{"owner in the environment", "", [2]string{"REALM_OWNER", "ed25519:1"}, "owner"},
		{"role", "roles = ['Edge']", [2]string{}, "roles"},
		{"too many bootstraps", "bootstrap = [" + strings.Repeat("'/a',", maxBootstrap+1) + "]", [2]string{}, "at most 256"},
		{"empty bootstrap", "bootstrap = ['']", [2]string{}, "multiaddr"},
		{"two in one bootstrap", "bootstrap = ['/a,/b']", [2]string{}, "multiaddr"},
		{"port too high", "listen_port = 65536", [2]string{}, "want 1 to 65535"},
		{"port below zero", "", [2]string{"REALM_LISTEN_PORT", "-1"}, "want 1 to 65535"},
		{"port no number", "", [2]string{"REALM_LISTEN_PORT", "http"}, "REALM_LISTEN_PORT=\"http\""},
		{"mdns", "", [2]string{"REALM_MDNS", "perhaps"}, "REALM_MDNS=\"perhaps\""},
		{"http_listen", "http_listen = '8080'", [2]string{}, "want HOST:PORT"},
		{"http_listen without port", "http_listen = '127.0.0.1:'", [2]string{}, "want HOST:PORT"},
		{"http_listen port too high", "http_listen = ':65536'", [2]string{}, "want HOST:PORT"},
		{"realm without owner", "realm = '" + string(realm) + "'", [2]string{}, "set both"},
		{"realm", "owner = '" + owner + "'\nrealm = 'mine'", [2]string{}, "realm id"},
		{"realm in the environment", "", [2]string{"REALM_REALM", "mine"}, "REALM_REALM=\"mine\""},
		{"tofu", "tofu = 'soon'", [2]string{}, "soon"},
		{"tofu below zero", "", [2]string{"REALM_TOFU", "-1m"}, "want 1s to 24h"},
		{"tofu too long", "tofu = '25h'", [2]string{}, "want 1s to 24h"},
		{"client", "", [2]string{"REALM_CLIENT", "perhaps"}, "REALM_CLIENT=\"perhaps\""},
		{"manage_listen", "", [2]string{"REALM_MANAGE_LISTEN", "localhost"}, "manage_listen"},
		{"metrics_listen", "metrics_listen = '9921'", [2]string{}, "metrics_listen"},
		{"edge_listen", "edge_listen = 'localhost'", [2]string{}, "edge_listen"},
		{"edge_listen at any port", "edge_listen = ':0'", [2]string{}, "want a port that clients can know"},
		{"edge_tls_listen", "", [2]string{"REALM_EDGE_TLS_LISTEN", "443"}, "edge_tls_listen"},
		{"a certificate without its key", "edge_certs = ['/a.pem']", [2]string{}, "want a key for each"},
		{"a relative certificate", "edge_certs = ['a.pem']\nedge_keys = ['/b.pem']", [2]string{}, "edge_certs \"a.pem\": want an absolute path"},
		{"acme without https", "acme_directory = 'http://ca.example/dir'", [2]string{}, "want letsencrypt"},
		{"acme by a name", "", [2]string{"REALM_ACME_DIRECTORY", "zerossl"}, "want letsencrypt"},
		{"an address for nobody", "acme_email = 'a@example.org'", [2]string{}, "acme_directory"},
		{"an address that is none", "acme_directory = 'letsencrypt'\nacme_email = 'Ops <a@example.org>'", [2]string{}, "acme_email"},
		{"processors below zero", "capacity_cpus = -1", [2]string{}, "capacity_cpus"},
		{"too many processors", "capacity_cpus = 70_000", [2]string{}, "out of range"},
		{"processors no number", "", [2]string{"REALM_CAPACITY_CPUS", "all"}, "REALM_CAPACITY_CPUS=\"all\""},
		{"memory below zero", "", [2]string{"REALM_CAPACITY_MB", "-1"}, "out of range"},
		{"memory with a unit", "", [2]string{"REALM_CAPACITY_MB", "1GB"}, "REALM_CAPACITY_MB=\"1GB\""},
		{"quota below zero", "storage_quota_mb = -1", [2]string{}, "storage_quota_mb -1: want 1 to"},
		{"quota too large", "storage_quota_mb = 1_099_511_627_777", [2]string{}, "storage_quota_mb"},
		{"quota with a unit", "", [2]string{"REALM_STORAGE_QUOTA_MB", "10GB"}, "REALM_STORAGE_QUOTA_MB=\"10GB\""},
		{"upload below zero", "upload_mb_s = -1.0", [2]string{}, "upload_mb_s -1: want 0.01 to"},
		{"upload no number", "upload_mb_s = nan", [2]string{}, "upload_mb_s"},
		{"upload too slow", "", [2]string{"REALM_UPLOAD_MB_S", "0.001"}, "upload_mb_s"},
		{"download without end", "", [2]string{"REALM_DOWNLOAD_MB_S", "+Inf"}, "download_mb_s"},
		{"download with a unit", "", [2]string{"REALM_DOWNLOAD_MB_S", "3MB"}, "REALM_DOWNLOAD_MB_S=\"3MB\""},
		{"collector", "otlp_endpoint = 'localhost:4318'", [2]string{}, "such as http://127.0.0.1:4318"},
		{"share above all", "trace_ratio = 1.5", [2]string{}, "0 to 1"},
		{"share below zero", "", [2]string{"REALM_TRACE_RATIO", "-0.1"}, "0 to 1"},
		{"share no number", "", [2]string{"REALM_TRACE_RATIO", "NaN"}, "0 to 1"},
		{"access log", "", [2]string{"REALM_ACCESS_LOG", "perhaps"}, "REALM_ACCESS_LOG"},
		{"relative mount", "mounts = ['data']", [2]string{}, "absolute path"},
		{"mount upwards", "mounts = ['" + folder("data") + string(filepath.Separator) + "..']", [2]string{}, "absolute path"},
		{"empty mount", "", [2]string{"REALM_MOUNTS", folder("data") + ","}, "absolute path"},
		{"mount with a comma", "mounts = ['" + folder("a,b") + "']", [2]string{}, "commas"},
		{"mount with a space at its end", "mounts = ['" + folder("data") + " ']", [2]string{}, "spaces around it"},
		{"long mount", "mounts = ['" + folder(strings.Repeat("x", maxPath)) + "']", [2]string{}, "at most 1024 bytes"},
		{"too many mounts", "mounts = [" + strings.Repeat("'"+folder("a")+"',", maxMounts+1) + "]", [2]string{}, "at most 64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clean(t)
			if tt.env[0] != "" {
				t.Setenv(tt.env[0], tt.env[1])
			}
			_, err := Load(write(t, tt.file))
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%v; want invalid setting with %q", err, tt.text)
			}
		})
	}
	clean(t)
	if _, err := Load(t.TempDir()); err == nil || errors.Is(err, ErrInvalid) {
		t.Errorf("a file that cannot be read: %v", err)
	}
}

func TestWriteFile(t *testing.T) {
	clean(t)
	for _, n := range []Node{{}, all(), defaults()} {
		path := filepath.Join(t.TempDir(), "config.toml")
		if err := n.WriteFile(path); err != nil {
			t.Fatal(err)
		}
		got, err := ReadFile(path)
		if err != nil || !reflect.DeepEqual(got, n) {
			t.Errorf("wrote %+v, read %+v, %v", n, got, err)
		}
	}
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := all().WriteFile(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings { // each with a word for whoever reads it
		if i := strings.Index(string(text), "\n"+s.name+" = "); i < 0 && !strings.HasPrefix(string(text), s.name) || !strings.Contains(string(text[:max(i, 0)]), "# ") {
			t.Errorf("%s is missing or has no comment in\n%s", s.name, text)
		}
	}
}

// The daemons are given the settings as environment variables: they see the same.
func TestEnviron(t *testing.T) {
	for _, n := range []Node{defaults(), all()} {
		clean(t)
		for _, kv := range n.Environ() {
			k, v, _ := strings.Cut(kv, "=")
			t.Setenv(k, v)
			if !IsSetting(kv) {
				t.Errorf("%s is no setting", kv)
			}
		}
		got, err := Load(filepath.Join(t.TempDir(), "none"))
		if err != nil || !reflect.DeepEqual(got, n) {
			t.Errorf("gave %+v, saw %+v, %v", n, got, err)
		}
	}
	for _, other := range []string{"PATH=/bin", "REALM_HOME=/h", "REALM_OWNER_KEY=/k", "REALM", ""} {
		if IsSetting(other) {
			t.Errorf("%q is taken for a setting", other)
		}
	}
}

// Every field of Node can be set by the environment, or flags would be lost on
// their way to the daemons.
func TestSettingsCoverNode(t *testing.T) {
	typ := reflect.TypeFor[Node]()
	for i := range typ.NumField() {
		name, _, _ := strings.Cut(typ.Field(i).Tag.Get("toml"), ",")
		if !slices.ContainsFunc(settings, func(s setting) bool { return s.name == name }) {
			t.Errorf("%s has no variable", name)
		}
		if typ.Field(i).Tag.Get("comment") == "" {
			t.Errorf("%s has no comment", name)
		}
	}
}

// What owners may give is no less than what a program has without a word of theirs.
func TestProgramLimits(t *testing.T) {
	for name, n := range map[string]Node{
		"program_memory_mb 64 is more than":  {ProgramMemoryMB: 64, ProgramMemoryMaxMB: 32},
		"program_fuel 9 is more than":        {ProgramFuel: 9, ProgramFuelMax: 8},
		"program_epoch_ms 2000 is more than": {ProgramEpochMS: 2000, ProgramEpochMaxMS: 1000},
		"memory_max_mb -1":                   {ProgramMemoryMB: -1},
		"memory_max_mb 4097":                 {ProgramMemoryMaxMB: 4097},
		"epoch_ms -5":                        {ProgramEpochMaxMS: -5},
	} {
		if err := n.Validate(); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%+v: %v, want %q", n, err, name)
		}
	}
	if err := (Node{ProgramMemoryMB: 64, ProgramMemoryMaxMB: 64, ProgramFuel: 1 << 60, ProgramEpochMS: 5}).Validate(); err != nil {
		t.Error(err)
	}
}

// FuzzConfig reads a file of any bytes. One that is taken means the same after
// being written, and after the way to a daemon.
func FuzzConfig(f *testing.F) {
	for _, seed := range []string{"", "owner = '" + owner + "'", "listen_port = 7\nroles = ['a', 'b']", "bootstrap = ['/ip4/1.2.3.4/tcp/1', '/b']\nmdns = false",
		"http_listen = ':80'\nmanage_listen = '[::1]:9'", "owner = '" + owner + "'\nrealm = '" + string(realm) + "'\ntofu = '1h'\nclient = true",
		"capacity_cpus = 2\ncapacity_mb = 64\nmounts = ['" + folder("a b") + "']", "mounts = ['/a,/b']",
		"program_memory_mb = 64\nprogram_memory_max_mb = 32", "program_fuel = 5\nprogram_fuel_max = 6\nprogram_epoch_ms = 1\nprogram_epoch_max_ms = 1", "program_fuel = -1",
		"storage_quota_mb = 100\nupload_mb_s = 0.25\ndownload_mb_s = 1e3", "upload_mb_s = nan",
		"[a]", "mdns = 1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := parse([]byte(text))
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if n.Validate() != nil {
			return
		}
		written, err := toml.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parse(written)
		if err != nil || !reflect.DeepEqual(trim(n), trim(again)) {
			t.Fatalf("%q: %+v, written and read %+v, %v", text, n, again, err)
		}
		var daemon Node
		for _, kv := range n.Environ() {
			k, v, _ := strings.Cut(kv, "=")
			i := slices.IndexFunc(settings, func(s setting) bool { return s.env() == k })
			if err := settings[i].set(&daemon, v); err != nil {
				t.Fatal(err)
			}
		}
		if !reflect.DeepEqual(trim(n), trim(daemon)) {
			t.Fatalf("%q: %+v, a daemon sees %+v", text, n, daemon)
		}
	})
}

// trim makes empty lists equal to none.
func trim(n Node) Node {
	if len(n.Bootstrap) == 0 {
		n.Bootstrap = nil
	}
	if len(n.Roles) == 0 {
		n.Roles = nil
	}
	if len(n.Mounts) == 0 {
		n.Mounts = nil
	}
	return n
}
