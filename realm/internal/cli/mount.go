package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/pack"
	"github.com/realm-mesh/realm/realm/internal/tomlfile"
)

// mountUsage is the help of --mount.
const mountUsage = "what it sees in a folder; may be repeated: kind=static,guest=/www,source=FOLDER (files of this machine, which it can only read; or kind=config), kind=work,guest=/work[,size_mb=N] (an empty folder of each replica), kind=state,guest=/data,volume=NAME[,seed=FOLDER][,size_mb=N][,ro] (a volume, which stays), or host=FOLDER,guest=/data[,ro] (a folder of the node, where its settings allow that)"

func (c *componentFlags) parseMounts(out *api.Component) error {
	c.folders = nil
	for _, s := range c.mounts {
		m, err := parseMount(s)
		if err == nil {
			stand := m.Stand(false)
			err = stand.Validate()
		}
		if err != nil {
			return fmt.Errorf("--mount %.200q: %w", s, err)
		}
		out.Mounts = append(out.Mounts, m.Mount)
		c.folders = append(c.folders, m.Folder)
	}
	return nil
}

// readFolders reads the files of the mounts of body.
func (c *componentFlags) readFolders(ctx context.Context, body *api.Component) (all []pack.Blob, err error) {
	for i, dir := range c.folders {
		if dir == "" {
			continue
		}
		f, err := pack.Folder(ctx, dir)
		if err != nil {
			return nil, fmt.Errorf("--mount %.200q: %w", c.mounts[i], err)
		}
		body.Mounts[i].Files = &f.BlobInfo
		all = append(all, f.Blob)
	}
	return all, nil
}

// parseMount reads what --mount says.
func parseMount(s string) (m tomlfile.Mount, err error) {
	given := map[string]string{}
	for part := range strings.SplitSeq(s, ",") {
		key, value, hasValue := strings.Cut(part, "=")
		_, twice := given[key]
		if twice || hasValue == (key == "ro") {
			return m, fmt.Errorf("%q: want KEY=VALUE, each key once, and ro for one that cannot be written to", part)
		}
		given[key] = value
		if err := setMount(&m, key, value); err != nil {
			return m, err
		}
	}
	_, source := given["source"]
	_, seed := given["seed"]
	static := m.Kind == api.MountStatic || m.Kind == api.MountConfig
	switch {
	case source != static:
		return m, errors.New("source is for kind=static and kind=config, which need one: the folder whose files are shown")
	case seed && m.Kind != api.MountState:
		return m, errors.New("seed is for kind=state: the folder whose files a new volume begins with")
	case (source || seed) && m.Folder == "":
		return m, errors.New("source and seed want the name of a folder")
	}
	return m, nil
}

func setMount(m *tomlfile.Mount, key, value string) (err error) {
	switch key {
	case "kind":
		if m.Kind = api.MountKind(value); value == "host" {
			m.Kind = api.MountHost
		}
	case "host":
		m.Host = value
	case "guest":
		m.Guest = value
	case "source", "seed":
		m.Folder = value
	case "volume":
		m.Volume = api.Name(value)
	case "ro":
		m.RO = true
	case "size_mb":
		if m.SizeMB, err = strconv.ParseInt(value, 10, 64); err != nil || m.SizeMB < 1 {
			err = fmt.Errorf("size_mb %.40q: want a number from 1", value)
		}
	default:
		err = fmt.Errorf("%.40q is not known: %s", key, tomlfile.DidYouMean(key, []string{"kind", "host", "guest", "source", "seed", "volume", "ro", "size_mb"}))
	}
	return err
}
