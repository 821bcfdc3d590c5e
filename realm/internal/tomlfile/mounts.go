package tomlfile

import (
	"cmp"
	"strconv"

	"github.com/realm-mesh/realm/api"
)

// Mount is what a program sees in a folder. Its Files are known when the folder that has
// them has been read.
type Mount struct {
	api.Mount
	// Folder has the files of a static or config mount, or of the seed of a state mount, as
	// the file says it; "" for none.
	Folder string
	At     string // FILE:LINE:COLUMN of Folder, or of the mount
}

// Mounts reads the folders that a program is given. Volumes need a name unless unnamed.
func (d *Document) Mounts(f Field, unnamed bool) (mounts []Mount) {
	before := len(d.Problems)
	var all []api.Mount
	for _, item := range d.List(f) {
		m := d.mount(item, unnamed)
		mounts = append(mounts, m)
		stand := m.Stand(unnamed)
		if m.Volume == "" && stand.Volume != "" {
			stand.Volume += api.Name("-" + strconv.Itoa(len(all)))
		}
		all = append(all, stand)
	}
	if len(d.Problems) == before {
		d.Valid(f, api.Component{Mounts: all})
	}
	return mounts
}

func (d *Document) mount(item Field, unnamed bool) Mount {
	m := Mount{At: d.Where(item.Value.At.From)}
	before := len(d.Problems)
	var source, seed Field
	d.Table(item, "a mount", Keys{
		"kind": func(f Field) {
			m.Kind = api.MountKind(d.Choice(f, "host", string(api.MountStatic), string(api.MountConfig), string(api.MountWork), string(api.MountState)))
		},
		"host":    func(f Field) { m.Host, _ = d.Str(f) },
		"guest":   func(f Field) { m.Guest, _ = d.Str(f) },
		"ro":      func(f Field) { m.RO, _ = d.Flag(f) },
		"source":  func(f Field) { source = f; d.Str(f) },
		"seed":    func(f Field) { seed = f; d.Str(f) },
		"size_mb": func(f Field) { m.SizeMB, _ = d.Integer(f, api.MaxMountMB) },
		"volume":  func(f Field) { s, _ := d.Str(f); m.Volume = api.Name(s) },
	})
	if len(d.Problems) > before {
		return m
	}
	if folder := cmp.Or(source.Value, seed.Value); folder != nil {
		m.Folder, m.At = folder.Text, d.Where(folder.At.From)
	}
	if at, text := m.folderProblem(source.Value, seed.Value); text != "" {
		d.Wrong(cmp.Or(at, item.Value).At, "%s", text)
		return m
	}
	d.Valid(item, api.Component{Mounts: []api.Mount{m.Stand(unnamed)}})
	return m
}

// folderProblem says why a mount has no such folders, and where; "" for nothing.
func (m *Mount) folderProblem(source, seed *Value) (at *Value, text string) {
	given := m.Kind == api.MountStatic || m.Kind == api.MountConfig
	switch {
	case source != nil && !given:
		return source, "source: only static and config mounts have one; a state mount begins with what its seed has"
	case seed != nil && m.Kind != api.MountState:
		return seed, "seed: only a state mount has one; static and config mounts show what their source has"
	case source == nil && given:
		return nil, "source is missing: name the folder whose files a " + string(m.Kind) + " mount shows"
	case (source != nil || seed != nil) && m.Folder == "":
		return cmp.Or(source, seed), "want the name of a folder"
	}
	return nil, ""
}

// Stand is the mount with what is not known yet, to be checked: files, and, if it may be
// left out, the name of a volume.
func (m *Mount) Stand(unnamed bool) api.Mount {
	out := m.Mount
	if m.Folder != "" && out.Files == nil {
		out.Files = &api.BlobInfo{SHA256: api.Sum(nil), Size: 1}
	}
	if unnamed && out.Kind == api.MountState && out.Volume == "" {
		out.Volume = "unnamed"
	}
	return out
}

// HostMounts reads mounts of folders of the member alone.
func (d *Document) HostMounts(f Field) (mounts []api.Mount) {
	before := len(d.Problems)
	for _, item := range d.List(f) {
		var m api.Mount
		bad := len(d.Problems)
		d.Table(item, "a mount", Keys{
			"host":  func(f Field) { m.Host, _ = d.Str(f) },
			"guest": func(f Field) { m.Guest, _ = d.Str(f) },
			"ro":    func(f Field) { m.RO, _ = d.Flag(f) },
		})
		if len(d.Problems) == bad {
			d.Valid(item, api.Component{Mounts: []api.Mount{m}})
		}
		mounts = append(mounts, m)
	}
	if len(d.Problems) == before {
		d.Valid(f, api.Component{Mounts: mounts})
	}
	return mounts
}
