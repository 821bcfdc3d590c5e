package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/config"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/addr"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// nodeFlags are the settings of a node as flags, the same for up and configure.
type nodeFlags struct {
	owner, realm             string
	bootstrap, roles         []string
	listenPort               int
	httpListen, manageListen string
	metricsListen            string
	edge                     edgeFlags
	seen                     seenFlags
	mdns                     bool
	mounts                   []string
	capacityMB               int64
	capacityCPUs             int
	unsaid, most             api.Limits // of programs
	storageQuotaMB           int64
	uploadMBS, downloadMBS   float64
}

func (n *nodeFlags) declare(f *pflag.FlagSet) {
	f.StringVar(&n.owner, "owner", "", "public key whose signed wishes the node follows (ed25519:…)")
	f.StringVar(&n.realm, "realm", "", "id of the realm, where --owner is not its first key any more")
	f.StringSliceVar(&n.bootstrap, "bootstrap", nil, "address of a node to dial first, with /p2p/PEER; may be repeated")
	f.StringSliceVar(&n.roles, "role", nil, "tag of this node that programs may ask for; may be repeated")
	f.IntVar(&n.listenPort, "listen-port", 0, "UDP and TCP port of the mesh (default: chosen once and kept)")
	f.StringVar(&n.httpListen, "http-listen", "", "HOST:PORT where programs are reached (default "+config.DefaultHTTPListen+")")
	f.StringVar(&n.manageListen, "manage-listen", "", "HOST:PORT of metrics, logs and health (default "+config.DefaultManageListen+")")
	f.StringVar(&n.metricsListen, "metrics-listen", "", "HOST:PORT where all who reach it may read the metrics, and nothing else (default: nowhere)")
	n.edge.declare(f)
	n.seen.declare(f)
	f.BoolVar(&n.mdns, "mdns", true, "find members on the local network")
	f.StringArrayVar(&n.mounts, "allow-mount", nil, "folder of this node that programs may mount, with all in it; may be repeated")
	f.Int64Var(&n.capacityMB, "capacity-mb", 0, "MiB that the memory caps of commands may add up to here (default: four times the machine's memory)")
	f.IntVar(&n.capacityCPUs, "capacity-cpus", 0, "processors that count when programs are shared out (default: those of the machine)")
	f.IntVar(&n.unsaid.MemoryMaxMB, "program-memory-mb", 0, fmt.Sprintf("MiB of memory that a program may have here whose owner says nothing of it (default %d)", api.DefaultMemoryMB))
	f.IntVar(&n.most.MemoryMaxMB, "program-memory-max-mb", 0, fmt.Sprintf("MiB that a program may have here at most (default %d)", api.MaxMemoryMB))
	f.Uint64Var(&n.unsaid.Fuel, "program-fuel", 0, "fuel of a call, request or run whose owner says nothing of it (default: no limit)")
	f.Uint64Var(&n.most.Fuel, "program-fuel-max", 0, "fuel that one may have here at most (default: no limit)")
	f.Int64Var(&n.unsaid.EpochMS, "program-epoch-ms", 0, fmt.Sprintf("deadline of a call or request whose owner says nothing of it, milliseconds (default %d)", api.DefaultDeadline.Milliseconds()))
	f.Int64Var(&n.most.EpochMS, "program-epoch-max-ms", 0, fmt.Sprintf("deadline that one may have here at most, milliseconds (default %d)", api.MaxEpochMS))
	f.Int64Var(&n.storageQuotaMB, "storage-quota-mb", 0, "MiB that the store of blobs may grow to (default: half of its file system)")
	f.Float64Var(&n.uploadMBS, "upload-mb-s", 0, "MB of blobs a second that this node sends to others (default: no limit)")
	f.Float64Var(&n.downloadMBS, "download-mb-s", 0, "MB of blobs a second that this node takes from others (default: no limit)")
}

// over lays the flags that were given over c. lists says how a list that is
// there meets one that was given.
func (n *nodeFlags) over(c *config.Node, given func(flag string) bool, lists func(old, given []string) []string) error {
	for _, s := range n.bootstrap {
		if err := addr.Check(s); err != nil {
			return fmt.Errorf("--bootstrap: %w", err)
		}
	}
	mounts, err := absolute(n.mounts)
	if err != nil {
		return fmt.Errorf("--allow-mount: %w", err)
	}
	for flag, set := range map[string]func(){
		"owner": func() {
			if c.Owner != n.owner && !given("realm") {
				c.Realm = "" // it was the other owner's
			}
			c.Owner = n.owner
		},
		"realm":          func() { c.Realm = api.RealmID(n.realm) },
		"bootstrap":      func() { c.Bootstrap = lists(c.Bootstrap, n.bootstrap) },
		"role":           func() { c.Roles = lists(c.Roles, n.roles) },
		"listen-port":    func() { c.ListenPort = n.listenPort },
		"http-listen":    func() { c.HTTPListen = n.httpListen },
		"manage-listen":  func() { c.ManageListen = n.manageListen },
		"metrics-listen": func() { c.MetricsListen = n.metricsListen },
		"mdns":           func() { c.MDNS = &n.mdns },
		"allow-mount":    func() { c.Mounts = lists(c.Mounts, mounts) },
		"capacity-mb":    func() { c.CapacityMB = n.capacityMB },
		"capacity-cpus":  func() { c.CapacityCPUs = n.capacityCPUs },

		"program-memory-mb":     func() { c.ProgramMemoryMB = n.unsaid.MemoryMaxMB },
		"program-memory-max-mb": func() { c.ProgramMemoryMaxMB = n.most.MemoryMaxMB },
		"program-fuel":          func() { c.ProgramFuel = n.unsaid.Fuel },
		"program-fuel-max":      func() { c.ProgramFuelMax = n.most.Fuel },
		"program-epoch-ms":      func() { c.ProgramEpochMS = n.unsaid.EpochMS },
		"program-epoch-max-ms":  func() { c.ProgramEpochMaxMS = n.most.EpochMS },

		"storage-quota-mb": func() { c.StorageQuotaMB = n.storageQuotaMB },
		"upload-mb-s":      func() { c.UploadMBS = n.uploadMBS },
		"download-mb-s":    func() { c.DownloadMBS = n.downloadMBS },
	} {
		if given(flag) {
			set()
		}
	}
	n.seen.over(c, given)
	if err := n.edge.over(c, given); err != nil {
		return err
	}
	return c.Validate()
}

// absolute are folders as the node finds them, wherever it was brought up.
func absolute(folders []string) (out []string, err error) {
	for _, f := range folders {
		abs, err := filepath.Abs(f)
		if err != nil {
			return nil, err
		}
		out = append(out, abs)
	}
	return out, nil
}

func replaceList(_, given []string) []string { return given }

func addToList(old, given []string) []string {
	for _, s := range given {
		if !slices.Contains(old, s) {
			old = append(old, s)
		}
	}
	return old
}

func newConfigure(a *app) *cobra.Command {
	var f nodeFlags
	var remove, removeRoles, removeMounts []string
	cmd := &cobra.Command{
		Use:   "configure",
		Short: "Change the settings of the node here",
		Long: `Change config.toml in the node's home. What is not named stays as it is:
--bootstrap, --role and --allow-mount add to their lists, --remove, --remove-role and
--remove-mount take away.
The settings count from the next realm up. Without flags, show them.`,
		Example: `  realm configure --owner ed25519:… --bootstrap /ip4/192.0.2.7/udp/4001/quic-v1/p2p/12D3KooW…
  realm configure --remove /ip4/192.0.2.7/udp/4001/quic-v1/p2p/12D3KooW…
  realm configure --role edge --listen-port 4001
  realm configure --allow-mount /srv/data --capacity-mb 8192`,
		Args: arguments(),
	}
	f.declare(cmd.Flags())
	cmd.Flags().StringSliceVar(&remove, "remove", nil, "address to take off the bootstrap list; may be repeated")
	cmd.Flags().StringArrayVar(&removeMounts, "remove-mount", nil, "folder that programs may not mount any more; may be repeated")
	cmd.Flags().StringSliceVar(&removeRoles, "remove-role", nil, "role to take away; may be repeated")
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
		h, err := a.home()
		if err != nil {
			return err
		}
		c, err := config.ReadFile(h.Config())
		if err != nil {
			return err
		}
		if err := f.over(&c, cmd.Flags().Changed, addToList); err != nil {
			return misused(cmd, err)
		}
		if c.Bootstrap, err = takeAway("bootstrap address", c.Bootstrap, remove); err != nil {
			return err
		}
		if c.Roles, err = takeAway("role", c.Roles, removeRoles); err != nil {
			return err
		}
		away, err := absolute(removeMounts)
		if err == nil {
			c.Mounts, err = takeAway("folder", c.Mounts, away)
		}
		if err != nil {
			return err
		}
		return a.configure(ctx, h, c, changesSomething(cmd))
	})
	return cmd
}

// changesSomething reports whether any flag of the command's own was given.
func changesSomething(cmd *cobra.Command) bool {
	changed := false
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) { changed = changed || f.Changed })
	return changed
}

func takeAway(what string, from, away []string) ([]string, error) {
	for _, s := range away {
		i := slices.Index(from, s)
		if i < 0 {
			return nil, fmt.Errorf("%s %q is not on the list: it has %s", what, s, orElse(strings.Join(from, ", "), "nothing"))
		}
		from = slices.Delete(from, i, i+1)
	}
	return from, nil
}

// configView is the settings in JSON, by their names in config.toml.
type configView struct {
	File          string      `json:"file"`
	Owner         string      `json:"owner,omitempty"`
	Realm         api.RealmID `json:"realm,omitempty"`
	Bootstrap     []string    `json:"bootstrap"`
	Roles         []string    `json:"roles"`
	ListenPort    int         `json:"listen_port,omitempty"`
	HTTPListen    string      `json:"http_listen,omitempty"`
	ManageListen  string      `json:"manage_listen,omitempty"`
	MetricsListen string      `json:"metrics_listen,omitempty"`
	edgeView
	MDNS         *bool        `json:"mdns,omitempty"`
	Tofu         api.Duration `json:"tofu,omitzero"`
	Mounts       []string     `json:"mounts"`
	CapacityMB   int64        `json:"capacity_mb,omitempty"`
	CapacityCPUs int          `json:"capacity_cpus,omitempty"`

	ProgramMemoryMB    int    `json:"program_memory_mb,omitempty"`
	ProgramMemoryMaxMB int    `json:"program_memory_max_mb,omitempty"`
	ProgramFuel        uint64 `json:"program_fuel,omitempty"`
	ProgramFuelMax     uint64 `json:"program_fuel_max,omitempty"`
	ProgramEpochMS     int64  `json:"program_epoch_ms,omitempty"`
	ProgramEpochMaxMS  int64  `json:"program_epoch_max_ms,omitempty"`

	StorageQuotaMB int64   `json:"storage_quota_mb,omitempty"`
	UploadMBS      float64 `json:"upload_mb_s,omitempty"`
	DownloadMBS    float64 `json:"download_mb_s,omitempty"`

	seenView
}

func (a *app) configure(ctx context.Context, h paths.Home, c config.Node, write bool) error {
	if write {
		if err := checkPinned(h, c); err != nil {
			return err
		}
		if err := h.Create(); err != nil {
			return err
		}
		if err := c.WriteFile(h.Config()); err != nil {
			return err
		}
	}
	v := configView{h.Config(), c.Owner, c.Realm, list(c.Bootstrap), list(c.Roles), c.ListenPort, c.HTTPListen, c.ManageListen, c.MetricsListen, newEdgeView(c), c.MDNS, c.Tofu, list(c.Mounts), c.CapacityMB, c.CapacityCPUs,
		c.ProgramMemoryMB, c.ProgramMemoryMaxMB, c.ProgramFuel, c.ProgramFuelMax, c.ProgramEpochMS, c.ProgramEpochMaxMS,
		c.StorageQuotaMB, c.UploadMBS, c.DownloadMBS, newSeenView(c)}
	return a.print(v, func() {
		fmt.Fprintf(a.out, "# %s\n", v.File)
		for _, row := range settingRows(c) {
			fmt.Fprintln(a.out, row)
		}
		switch {
		case !write:
		case node.Up(ctx, h):
			a.note("\nA node is up in this home: the change counts after realm down and realm up.")
		default:
			a.note("\nNext: realm up")
		}
	})
}

// checkPinned refuses an owner that the node can never follow.
func checkPinned(h paths.Home, c config.Node) error {
	pin, err := trust.ReadPin(h.Pin())
	if errors.Is(err, trust.ErrUnclaimed) {
		return nil
	}
	if err != nil {
		return err
	}
	return owner.CheckOwner(h, pin, c)
}

func settingRows(c config.Node) []string {
	var rows []string
	add := func(key, value string) { rows = append(rows, fmt.Sprintf("%-16s  %s", key, value)) }
	add("owner", orElse(c.Owner, "(the owner key of this account, if it has one)"))
	if c.Realm != "" {
		add("realm", string(c.Realm))
	}
	for _, b := range c.Bootstrap {
		add("bootstrap", b)
	}
	if len(c.Roles) > 0 {
		add("roles", strings.Join(c.Roles, ", "))
	}
	if c.ListenPort != 0 {
		add("listen_port", fmt.Sprint(c.ListenPort))
	}
	add("http_listen", orElse(c.HTTPListen, config.DefaultHTTPListen))
	add("manage_listen", orElse(c.ManageListen, config.DefaultManageListen))
	if c.MetricsListen != "" {
		add("metrics_listen", c.MetricsListen)
	}
	for _, row := range append(edgeRows(c), seenRows(c)...) {
		add(row[0], row[1])
	}
	add("mdns", fmt.Sprint(c.MDNS == nil || *c.MDNS))
	if c.Tofu != 0 {
		add("tofu", time.Duration(c.Tofu).String())
	}
	for _, m := range c.Mounts {
		add("mounts", m)
	}
	if c.CapacityMB != 0 {
		add("capacity_mb", fmt.Sprint(c.CapacityMB))
	}
	if c.CapacityCPUs != 0 {
		add("capacity_cpus", fmt.Sprint(c.CapacityCPUs))
	}
	for _, l := range []struct {
		key string
		set bool
		n   any
	}{
		{"program_memory_mb", c.ProgramMemoryMB != 0, c.ProgramMemoryMB}, {"program_memory_max_mb", c.ProgramMemoryMaxMB != 0, c.ProgramMemoryMaxMB},
		{"program_fuel", c.ProgramFuel != 0, c.ProgramFuel}, {"program_fuel_max", c.ProgramFuelMax != 0, c.ProgramFuelMax},
		{"program_epoch_ms", c.ProgramEpochMS != 0, c.ProgramEpochMS}, {"program_epoch_max_ms", c.ProgramEpochMaxMS != 0, c.ProgramEpochMaxMS},
	} {
		if l.set {
			add(l.key, fmt.Sprint(l.n))
		}
	}
	if c.StorageQuotaMB != 0 {
		add("storage_quota_mb", fmt.Sprint(c.StorageQuotaMB))
	}
	if c.UploadMBS != 0 {
		add("upload_mb_s", fmt.Sprint(c.UploadMBS))
	}
	if c.DownloadMBS != 0 {
		add("download_mb_s", fmt.Sprint(c.DownloadMBS))
	}
	return rows
}

// list is s for JSON: an empty list, not null.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
