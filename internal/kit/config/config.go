// Package config reads the settings of a node: config.toml in its home, under
// environment variables of the same names, under flags (which realm up turns
// into those variables, so that the daemons see them too).
package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// Node is the settings of one node. The comment of each field names its
// environment variable; lists are separated by commas there.
type Node struct {
	Owner         string   `toml:"owner,omitempty" comment:"key whose intents this node follows (ed25519:…)"`                                 // REALM_OWNER
	Bootstrap     []string `toml:"bootstrap,omitempty" comment:"multiaddrs, with /p2p/PEER, of members to dial first"`                        // REALM_BOOTSTRAP
	Roles         []string `toml:"roles,omitempty" comment:"tags that intents may target"`                                                    // REALM_ROLES
	ListenPort    int      `toml:"listen_port,omitempty" comment:"UDP and TCP port of the mesh; 0: chosen once and kept"`                     // REALM_LISTEN_PORT
	HTTPListen    string   `toml:"http_listen,omitempty" comment:"where programs are reached (default 127.0.0.1:8080)"`                       // REALM_HTTP_LISTEN
	ManageListen  string   `toml:"manage_listen,omitempty" comment:"metrics, logs and health; loopback only (default 127.0.0.1:9920)"`        // REALM_MANAGE_LISTEN
	MetricsListen string   `toml:"metrics_listen,omitempty" comment:"the metrics alone, for whoever reaches this address (default: nowhere)"` // REALM_METRICS_LISTEN
	MDNS          *bool    `toml:"mdns,omitempty" comment:"find members on the local network (default true)"`                                 // REALM_MDNS

	EdgeListen    string   `toml:"edge_listen,omitempty" comment:"where a node with the role edge serves what is public (default :80); with certificates, where it sends clients to HTTPS"`   // REALM_EDGE_LISTEN
	EdgeTLSListen string   `toml:"edge_tls_listen,omitempty" comment:"where it serves that with certificates (default :443)"`                                                                 // REALM_EDGE_TLS_LISTEN
	EdgeCerts     []string `toml:"edge_certs,omitempty" comment:"files of certificates (PEM, the whole chain), read again when they change"`                                                  // REALM_EDGE_CERTS
	EdgeKeys      []string `toml:"edge_keys,omitempty" comment:"files of their keys (PEM), in the same order"`                                                                                // REALM_EDGE_KEYS
	ACMEDirectory string   `toml:"acme_directory,omitempty" comment:"https URL of a certificate authority's ACME directory, or letsencrypt, or letsencrypt-staging: its terms are agreed to"` // REALM_ACME_DIRECTORY
	ACMEEmail     string   `toml:"acme_email,omitempty" comment:"whom it may write to"`                                                                                                       // REALM_ACME_EMAIL
	ACMERoot      string   `toml:"acme_root,omitempty" comment:"file of the certificates (PEM) that the directory itself is trusted by (default: those of the system)"`                       // REALM_ACME_ROOT

	Realm  api.RealmID  `toml:"realm,omitempty" comment:"id of the realm, where owner is not its first key any more"`                   // REALM_REALM
	Tofu   api.Duration `toml:"tofu,omitempty" comment:"how long after its start a node without an owner can be claimed with a code"`   // REALM_TOFU
	Client bool         `toml:"client,omitempty" comment:"a command line without a node of its own: a member for a time, runs nothing"` // REALM_CLIENT

	CapacityCPUs       int    `toml:"capacity_cpus,omitempty" comment:"processors that programs may count on here; 0: those of the machine"`                           // REALM_CAPACITY_CPUS
	CapacityMB         int64  `toml:"capacity_mb,omitempty" comment:"MiB that the memory caps of programs may add up to here; 0: four times the machine's memory"`     // REALM_CAPACITY_MB
	ProgramMemoryMB    int    `toml:"program_memory_mb,omitempty" comment:"MiB of memory that a program may have whose owner says nothing of it (default 256)"`        // REALM_PROGRAM_MEMORY_MB
	ProgramMemoryMaxMB int    `toml:"program_memory_max_mb,omitempty" comment:"MiB that owners may give to a program here; 0: 4096"`                                   // REALM_PROGRAM_MEMORY_MAX_MB
	ProgramFuel        uint64 `toml:"program_fuel,omitempty" comment:"units of fuel of a call, request or run whose owner says nothing of it; 0: no limit"`            // REALM_PROGRAM_FUEL
	ProgramFuelMax     uint64 `toml:"program_fuel_max,omitempty" comment:"units that owners may give to one here, and all that one has without a limit; 0: any"`       // REALM_PROGRAM_FUEL_MAX
	ProgramEpochMS     int64  `toml:"program_epoch_ms,omitempty" comment:"deadline of a call or request whose owner says nothing of it, milliseconds (default 10000)"` // REALM_PROGRAM_EPOCH_MS
	ProgramEpochMaxMS  int64  `toml:"program_epoch_max_ms,omitempty" comment:"deadline that owners may give here, milliseconds; 0: a day"`                             // REALM_PROGRAM_EPOCH_MAX_MS

	OTLPEndpoint string   `toml:"otlp_endpoint,omitempty" comment:"collector that traces are sent to, OTLP over HTTP, such as http://127.0.0.1:4318 (default: none)"` // REALM_OTLP_ENDPOINT
	TraceRatio   *float64 `toml:"trace_ratio,omitempty" comment:"share of the requests that are traced of which the client says nothing, 0 to 1 (default 1)"`         // REALM_TRACE_RATIO
	AccessLog    bool     `toml:"access_log,omitempty" comment:"whether the gateway writes a line for each request to logs/access.log"`                               // REALM_ACCESS_LOG

	StorageQuotaMB int64    `toml:"storage_quota_mb,omitempty" comment:"MiB that the store of blobs may grow to; 0: half of its file system"`           // REALM_STORAGE_QUOTA_MB
	UploadMBS      float64  `toml:"upload_mb_s,omitempty" comment:"MB (1,000,000 bytes) of blobs a second that this node sends to others; 0: no limit"` // REALM_UPLOAD_MB_S
	DownloadMBS    float64  `toml:"download_mb_s,omitempty" comment:"MB of blobs a second that this node takes from others; 0: no limit"`               // REALM_DOWNLOAD_MB_S
	Mounts         []string `toml:"mounts,omitempty" comment:"folders, with all in them, that programs may mount (default: none)"`                      // REALM_MOUNTS
}

// Defaults of listening addresses.
const (
	DefaultHTTPListen    = "127.0.0.1:8080"
	DefaultManageListen  = "127.0.0.1:9920"
	DefaultEdgeListen    = ":80"
	DefaultEdgeTLSListen = ":443"
)

// Bounds of how long a node without an owner can be claimed with a code.
const (
	DefaultTofu = 10 * time.Minute
	MaxTofu     = 24 * time.Hour
)

// ErrInvalid marks settings that a person has to mend: starting again will not help.
var ErrInvalid = errors.New("invalid setting")

const (
	maxFile      = 1 << 20
	maxBootstrap = 256
	maxMounts    = 64
	maxPath      = 1024 // bytes
)

// ReadFile reads a config.toml; a missing one is all defaults. Unknown keys are errors.
func ReadFile(path string) (Node, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Node{}, nil
	}
	if err != nil {
		return Node{}, fmt.Errorf("read settings: %w", err)
	}
	n, err := parse(b)
	if err != nil {
		return n, fmt.Errorf("read settings %s: %w", path, err)
	}
	return n, nil
}

// parse reads what a config.toml holds. Its errors are [ErrInvalid].
func parse(b []byte) (n Node, err error) {
	if len(b) > maxFile {
		return n, fmt.Errorf("%w: %w: %d bytes, at most %d", ErrInvalid, api.ErrTooLarge, len(b), maxFile)
	}
	d := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields()
	if err := d.Decode(&n); err != nil {
		return n, fmt.Errorf("%w: %s", ErrInvalid, explain(err))
	}
	return n, nil
}

// explain adds to a TOML error where it is.
func explain(err error) string {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) {
		return "unknown key:\n" + strict.String()
	}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		row, col := decode.Position()
		return fmt.Sprintf("line %d, column %d: %v", row, col, err)
	}
	return err.Error()
}

// WriteFile replaces a config.toml.
func (n Node) WriteFile(path string) error {
	b, err := toml.Marshal(n)
	if err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	return atomicfile.Write(path, b, 0o600)
}

// Load returns the settings in the file at path, overridden by the environment,
// with defaults filled in, validated.
func Load(path string) (Node, error) {
	n, err := ReadFile(path)
	if err != nil {
		return n, err
	}
	if v := os.Getenv("REALM_OWNER"); v != "" && v != n.Owner {
		n.Realm = "" // it was the other owner's
	}
	for _, s := range settings {
		if v, ok := os.LookupEnv(s.env()); ok && v != "" {
			if err := s.set(&n, v); err != nil {
				return n, fmt.Errorf("%w: %s=%q: %w", ErrInvalid, s.env(), v, err)
			}
		}
	}
	if n.HTTPListen == "" {
		n.HTTPListen = DefaultHTTPListen
	}
	if n.ManageListen == "" {
		n.ManageListen = DefaultManageListen
	}
	n.EdgeListen = cmp.Or(n.EdgeListen, DefaultEdgeListen)
	n.EdgeTLSListen = cmp.Or(n.EdgeTLSListen, DefaultEdgeTLSListen)
	if n.MDNS == nil {
		on := true
		n.MDNS = &on
	}
	return n, n.Validate()
}

// Validate implements [api.Validator]. Multiaddrs are checked by who dials them.
func (n Node) Validate() error {
	if n.Owner != "" {
		if _, err := keys.ParsePublic(n.Owner); err != nil {
			return fmt.Errorf("%w: owner: %w", ErrInvalid, err)
		}
	}
	if n.Realm != "" {
		if _, err := api.ParseRealmID(string(n.Realm)); err != nil {
			return fmt.Errorf("%w: realm: %w", ErrInvalid, err)
		}
	}
	if n.Realm != "" && n.Owner == "" {
		return fmt.Errorf("%w: realm: it goes with owner, the key that speaks for the realm now: set both", ErrInvalid)
	}
	if d := time.Duration(n.Tofu); d != 0 && (d < time.Second || d > MaxTofu) {
		return fmt.Errorf("%w: tofu %s: want 1s to %s", ErrInvalid, d, MaxTofu)
	}
	if len(n.Bootstrap) > maxBootstrap {
		return fmt.Errorf("%w: bootstrap: at most %d addresses", ErrInvalid, maxBootstrap)
	}
	for _, a := range n.Bootstrap {
		if a == "" || strings.ContainsAny(a, ", \t\r\n\x00") {
			return fmt.Errorf("%w: bootstrap %.200q: want one multiaddr, such as /ip4/192.0.2.1/udp/4001/quic-v1/p2p/PEER", ErrInvalid, a)
		}
	}
	if err := api.ValidateTags(n.Roles); err != nil {
		return fmt.Errorf("%w: roles: %w", ErrInvalid, err)
	}
	if n.ListenPort < 0 || n.ListenPort > 65535 {
		return fmt.Errorf("%w: listen_port %d: want 1 to 65535, or 0 to choose one", ErrInvalid, n.ListenPort)
	}
	if err := errors.Join(n.validateCapacity(), n.validateProgramLimits(), n.validateStorage(), n.validateMounts(), n.validateSeen(), n.validateEdge()); err != nil {
		return err
	}
	return errors.Join(validateListen("http_listen", n.HTTPListen), validateListen("manage_listen", n.ManageListen),
		validateListen("metrics_listen", n.MetricsListen))
}

func (n Node) validateCapacity() error {
	c := api.Capacity{CPUs: n.CapacityCPUs, MemoryMB: n.CapacityMB}
	if err := c.Validate(); err != nil {
		return fmt.Errorf("%w: capacity_cpus, capacity_mb: %w", ErrInvalid, err)
	}
	return nil
}

func (n Node) validateMounts() error {
	if len(n.Mounts) > maxMounts {
		return fmt.Errorf("%w: mounts: at most %d folders", ErrInvalid, maxMounts)
	}
	for _, m := range n.Mounts {
		if err := validatePath("mounts", m); err != nil {
			return err
		}
	}
	return nil
}

func validatePath(name, p string) error {
	switch {
	case !filepath.IsAbs(p) || filepath.Clean(p) != p:
		return fmt.Errorf("%w: %s %.200q: want an absolute path, without . or .. or a slash at its end", ErrInvalid, name, p)
	case len(p) > maxPath || strings.ContainsAny(p, ",\t\r\n\x00") || strings.TrimSpace(p) != p:
		return fmt.Errorf("%w: %s %.200q: want a path without commas, line ends, or spaces around it, of at most %d bytes", ErrInvalid, name, p, maxPath)
	}
	return nil
}

func validateListen(name, addr string) error {
	if addr == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %w; want HOST:PORT", ErrInvalid, name, err)
	}
	return nil
}
