package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
)

// setting is one field of Node by its TOML name.
type setting struct {
	name string
	set  func(n *Node, v string) error
	get  func(n *Node) string
}

// settings are all that the environment can set.
var settings = []setting{
	text("owner", func(n *Node) *string { return &n.Owner }),
	list("bootstrap", func(n *Node) *[]string { return &n.Bootstrap }),
	list("roles", func(n *Node) *[]string { return &n.Roles }),
	{"listen_port", func(n *Node, v string) (err error) {
		n.ListenPort, err = strconv.Atoi(v)
		return err
	}, func(n *Node) string { return number(int64(n.ListenPort)) }},
	text("http_listen", func(n *Node) *string { return &n.HTTPListen }),
	text("manage_listen", func(n *Node) *string { return &n.ManageListen }),
	text("metrics_listen", func(n *Node) *string { return &n.MetricsListen }),
	text("edge_listen", func(n *Node) *string { return &n.EdgeListen }),
	text("edge_tls_listen", func(n *Node) *string { return &n.EdgeTLSListen }),
	files("edge_certs", func(n *Node) *[]string { return &n.EdgeCerts }),
	files("edge_keys", func(n *Node) *[]string { return &n.EdgeKeys }),
	text("acme_directory", func(n *Node) *string { return &n.ACMEDirectory }),
	text("acme_email", func(n *Node) *string { return &n.ACMEEmail }),
	text("acme_root", func(n *Node) *string { return &n.ACMERoot }),
	{"mdns", func(n *Node, v string) error {
		b, err := strconv.ParseBool(v)
		n.MDNS = &b
		return err
	}, func(n *Node) string {
		if n.MDNS == nil {
			return ""
		}
		return strconv.FormatBool(*n.MDNS)
	}},
	{"realm", func(n *Node, v string) (err error) {
		n.Realm, err = api.ParseRealmID(v)
		return err
	}, func(n *Node) string { return string(n.Realm) }},
	{"tofu", func(n *Node, v string) error { return n.Tofu.UnmarshalText([]byte(v)) }, func(n *Node) string {
		if n.Tofu == 0 {
			return ""
		}
		return time.Duration(n.Tofu).String()
	}},
	truth("client", func(n *Node) *bool { return &n.Client }),
	{"capacity_cpus", func(n *Node, v string) (err error) {
		n.CapacityCPUs, err = strconv.Atoi(v)
		return err
	}, func(n *Node) string { return number(int64(n.CapacityCPUs)) }},
	{"capacity_mb", func(n *Node, v string) (err error) {
		n.CapacityMB, err = strconv.ParseInt(v, 10, 64)
		return err
	}, func(n *Node) string { return number(n.CapacityMB) }},
	whole("program_memory_mb", func(n *Node) *int { return &n.ProgramMemoryMB }),
	whole("program_memory_max_mb", func(n *Node) *int { return &n.ProgramMemoryMaxMB }),
	whole("program_fuel", func(n *Node) *uint64 { return &n.ProgramFuel }),
	whole("program_fuel_max", func(n *Node) *uint64 { return &n.ProgramFuelMax }),
	whole("program_epoch_ms", func(n *Node) *int64 { return &n.ProgramEpochMS }),
	whole("program_epoch_max_ms", func(n *Node) *int64 { return &n.ProgramEpochMaxMS }),
	text("otlp_endpoint", func(n *Node) *string { return &n.OTLPEndpoint }),
	traceRatio(),
	truth("access_log", func(n *Node) *bool { return &n.AccessLog }),
	{"storage_quota_mb", func(n *Node, v string) (err error) {
		n.StorageQuotaMB, err = strconv.ParseInt(v, 10, 64)
		return err
	}, func(n *Node) string { return number(n.StorageQuotaMB) }},
	rate("upload_mb_s", func(n *Node) *float64 { return &n.UploadMBS }),
	rate("download_mb_s", func(n *Node) *float64 { return &n.DownloadMBS }),
	files("mounts", func(n *Node) *[]string { return &n.Mounts }),
}

// number is v, or nothing where it is the default.
func number(v int64) string {
	if v == 0 {
		return ""
	}
	return strconv.FormatInt(v, 10)
}

// whole is a setting that is a number of this type; its default is 0.
func whole[T int | int64 | uint64](name string, field func(*Node) *T) setting {
	return setting{name,
		func(n *Node, v string) error {
			_, err := fmt.Sscan(v, field(n))
			return err
		},
		func(n *Node) string {
			if *field(n) == 0 {
				return ""
			}
			return fmt.Sprint(*field(n))
		}}
}

// truth is a setting that is true or false; its default is false.
func truth(name string, field func(*Node) *bool) setting {
	return setting{name,
		func(n *Node, v string) (err error) {
			*field(n), err = strconv.ParseBool(v)
			return err
		},
		func(n *Node) string {
			if !*field(n) {
				return ""
			}
			return strconv.FormatBool(true)
		}}
}

func rate(name string, field func(*Node) *float64) setting {
	return setting{name,
		func(n *Node, v string) (err error) {
			*field(n), err = strconv.ParseFloat(v, 64)
			return err
		},
		func(n *Node) string {
			if *field(n) == 0 {
				return ""
			}
			return strconv.FormatFloat(*field(n), 'g', -1, 64)
		}}
}

func text(name string, field func(*Node) *string) setting {
	return setting{name,
		func(n *Node, v string) error { *field(n) = v; return nil },
		func(n *Node) string { return *field(n) }}
}

func list(name string, field func(*Node) *[]string) setting {
	return setting{name,
		func(n *Node, v string) error {
			*field(n) = strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' })
			return nil
		},
		func(n *Node) string { return strings.Join(*field(n), ",") }}
}

// files is a list of paths, which may hold spaces.
func files(name string, field func(*Node) *[]string) setting {
	return setting{name,
		func(n *Node, v string) error {
			*field(n) = nil
			for p := range strings.SplitSeq(v, ",") {
				*field(n) = append(*field(n), strings.TrimSpace(p))
			}
			return nil
		},
		func(n *Node) string { return strings.Join(*field(n), ",") }}
}

// env is the environment variable of a setting.
func (s setting) env() string { return "REALM_" + strings.ToUpper(s.name) }

// Environ returns n as the environment variables that make [Load] return it.
func (n Node) Environ() []string {
	var out []string
	for _, s := range settings {
		if v := s.get(&n); v != "" {
			out = append(out, s.env()+"="+v)
		}
	}
	return out
}

// IsSetting reports whether an environment variable ("KEY=VALUE") overrides a setting.
func IsSetting(variable string) bool {
	key, _, _ := strings.Cut(variable, "=")
	return slices.ContainsFunc(settings, func(s setting) bool { return s.env() == key })
}
