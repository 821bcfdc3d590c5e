package api

import (
	"strings"
	"testing"
	"time"
)

func TestValidateMounts(t *testing.T) {
	files := &BlobInfo{SHA256: someDigest, Size: 5}
	for _, c := range []struct {
		m   Mount
		bad string // in the error; "": there is none
	}{
		{Mount{Host: "/srv", Guest: "/data"}, ""},
		{Mount{Kind: MountStatic, Guest: "/www", Files: files}, ""},
		{Mount{Kind: MountConfig, Guest: "/etc/app", Files: files}, ""},
		{Mount{Kind: MountWork, Guest: "/work", SizeMB: 8}, ""},
		{Mount{Kind: MountState, Guest: "/data", Volume: "cart", RO: true, Files: files, SizeMB: MaxMountMB}, ""},
		{Mount{Kind: "tmp", Guest: "/x"}, "want static, config"},
		{Mount{Kind: MountStatic, Guest: "/www"}, "has files, and there are none"},
		{Mount{Kind: MountStatic, Guest: "/www", Files: &BlobInfo{SHA256: someDigest, Size: MaxMountFiles + 1}}, "at most"},
		{Mount{Kind: MountStatic, Guest: "/www", Files: &BlobInfo{Size: 5}}, "files"},
		{Mount{Kind: MountStatic, Guest: "/www", Files: files, RO: true}, "have ro"},
		{Mount{Kind: MountStatic, Guest: "/www", Files: files, SizeMB: 3}, "size_mb"},
		{Mount{Kind: MountWork, Guest: "/work", Files: files}, "have files"},
		{Mount{Kind: MountWork, Guest: "/work", Host: "/srv"}, "has no host"},
		{Mount{Kind: MountWork, Guest: "/work", Volume: "x"}, "has a volume"},
		{Mount{Kind: MountState, Guest: "/data"}, "volume: name"},
		{Mount{Kind: MountState, Guest: "/data", Volume: "../x"}, "volume: name"},
		{Mount{Kind: MountState, Guest: "data", Volume: "x"}, "absolute path"},
		{Mount{Kind: MountState, Guest: "/data/../etc", Volume: "x"}, "no . or .."},
		{Mount{Kind: MountState, Guest: "/data", Volume: "x", SizeMB: -1}, "size_mb"},
		{Mount{Guest: "/data"}, "host"},
	} {
		err := c.m.Validate()
		if c.bad == "" && err != nil || c.bad != "" && (err == nil || !strings.Contains(err.Error(), c.bad)) {
			t.Errorf("%+v: %v, want %q", c.m, err, c.bad)
		}
	}
	breaks(t, map[string]func(*Component){
		"is mounted elsewhere": func(c *Component) { c.Mounts[0] = c.Mounts[1]; c.Mounts[0].Guest = "/other" },
		"there are two of":     func(c *Component) { c.Mounts[0].Guest = c.Mounts[1].Guest },
	})
}

func TestMountLimit(t *testing.T) {
	for _, c := range []struct {
		m    Mount
		want int64
	}{
		{Mount{}, 0}, {Mount{Kind: MountStatic}, 0}, {Mount{Kind: MountWork}, DefaultWorkMB << 20},
		{Mount{Kind: MountState}, DefaultStateMB << 20}, {Mount{Kind: MountState, SizeMB: 3}, 3 << 20},
	} {
		if got := c.m.Limit(); got != c.want {
			t.Errorf("%+v: %d, want %d", c.m, got, c.want)
		}
	}
}

func TestValidateSecrets(t *testing.T) {
	breaks(t, map[string]func(*Secret){
		"recipient":              func(s *Secret) { s.Recipient = "" },
		"recipient|blank":        func(s *Secret) { s.Recipient = "a b" },
		"data of 0":              func(s *Secret) { s.Data = nil },
		"data of":                func(s *Secret) { s.Data = make([]byte, maxSecretData+1) },
		"sealed to 0 members":    func(s *Secret) { s.Keys = nil },
		"sealed to 33 members":   func(s *Secret) { s.Keys = make([]SecretKey, MaxSecretKeys+1) },
		"bytes: at most":         func(s *Secret) { s.Bytes = MaxSecret + 1 },
		"peer id":                func(s *Secret) { s.Keys[0].Peer = "me" },
		"is missing, too long":   func(s *Secret) { s.Keys[0].Sealed = nil },
		"is missing, too long|2": func(s *Secret) { s.Keys = append(s.Keys, s.Keys[0]) },
	})
	breaks(t, map[string]func(*Component){
		"name":                  func(c *Component) { c.Secrets[0].Name = "A" },
		"want env or file":      func(c *Component) { c.Secrets[0].Env = "" },
		"want env or file|both": func(c *Component) { c.Secrets[0].File = "/run/x" },
		"without '='":           func(c *Component) { c.Secrets[0].Env = "A=b" },
		"absolute path":         func(c *Component) { c.Secrets[1].File = "run/x" },
		"absolute path|top":     func(c *Component) { c.Secrets[1].File = "/x" },
		"absolute path|up":      func(c *Component) { c.Secrets[1].File = "/run/../x/y" },
		"its folder is a mount": func(c *Component) { c.Secrets[1].File = "/data/x" },
		"there is another":      func(c *Component) { c.Secrets[0].Env = "A" },
		"33 secrets":            func(c *Component) { c.Secrets = make([]SecretUse, MaxSecretUses+1) },
	})
	breaks(t, map[string]func(*SecretAsk){
		"name": func(a *SecretAsk) { a.Name = "" }, "intent is missing": func(a *SecretAsk) { a.Intent = Digest{} },
	})
	breaks(t, map[string]func(*SecretGiven){"sealed key of 0": func(g *SecretGiven) { g.Sealed = nil }})
}

func TestValidateVolumes(t *testing.T) {
	breaks(t, map[string]func(*Volume){
		"since is out of range":  func(v *Volume) { v.Since = MaxSeq + 1 },
		"more than 128":          func(v *Volume) { v.Copies = make([]VolumeCopy, MaxVolumeCopies+1) },
		"in the order of":        func(v *Volume) { v.Copies = append(v.Copies, v.Copies[0]) },
		"since 0 of":             func(v *Volume) { v.Copies[0].Since = 0 },
		"peer id":                func(v *Volume) { v.Copies[0].Peer = "me" },
		"files":                  func(v *Volume) { v.Copies[0].Files = &BlobInfo{} },
		"files of 536870913 byt": func(v *Volume) { v.Copies[0].Files.Size = MaxMountFiles + 1 },
	})
	breaks(t, map[string]func(*Holdings){
		"realm id": func(h *Holdings) { h.Realm = "" }, "peer id": func(h *Holdings) { h.Peer = "" }, "seq": func(h *Holdings) { h.Seq = 0 },
		"257 volumes":     func(h *Holdings) { h.Volumes = make([]HeldVolume, MaxHeldVolumes+1) },
		"user":            func(h *Holdings) { h.Volumes[0].User = "A" },
		"in the order of": func(h *Holdings) { h.Volumes = append(h.Volumes, h.Volumes[0]) },
		"epoch":           func(h *Holdings) { h.Volumes[0].Epoch = MaxSeq + 1 },
	})
	breaks(t, map[string]func(*TellHoldings){
		"65 statements": func(h *TellHoldings) { h.Statements = make([][]byte, MaxTold+1) },
		"bytes":         func(h *TellHoldings) { h.Statements[0] = make([]byte, MaxToldBytes+1) },
	})
	breaks(t, map[string]func(*PeerFact){"65 statements": func(f *PeerFact) { f.Holdings = make([][]byte, MaxTold+1) }})
	breaks(t, map[string]func(*VolumesReply){
		"257 volumes": func(r *VolumesReply) { r.Volumes = make([]VolumeInfo, MaxHeldVolumes+1) },
		"volume: nam": func(r *VolumesReply) { r.Volumes[0].Volume = "" },
		"volume cart": func(r *VolumesReply) { r.Volumes[0].User = "A" },
		"a number is": func(r *VolumesReply) { r.Volumes[0].Used = -1 },
	})
	breaks(t, map[string]func(*VolumeFiles){"501 files": func(f *VolumeFiles) { f.Files = make([]VolumeFile, MaxVolumeFiles+1) }})
	breaks(t, map[string]func(*VolumeRead){
		"realm id": func(r *VolumeRead) { r.Realm = "" }, "volume": func(r *VolumeRead) { r.Volume = "" }, "peer id": func(r *VolumeRead) { r.Peer = "" },
		"at most": func(r *VolumeRead) { r.Expires = r.Issued.Add(MaxVolumeRead + 1) }, "at most|before": func(r *VolumeRead) { r.Expires = r.Issued },
		"at most|never": func(r *VolumeRead) { r.Issued = time.Time{} },
	})
}

// TestVolumeCounts is the rule by which copies of a volume count.
func TestVolumeCounts(t *testing.T) {
	const other PeerID = somePeer + "B"
	v := Volume{Since: 2, Copies: []VolumeCopy{{Peer: somePeer, Since: 4}}}
	for _, c := range []struct {
		p     PeerID
		epoch uint64
		want  bool
	}{{other, 1, false}, {other, 2, true}, {somePeer, 3, false}, {somePeer, 4, true}} {
		if got := v.Counts(c.p, c.epoch); got != c.want {
			t.Errorf("copy of %s with epoch %d: %v", c.p, c.epoch, got)
		}
	}
	if c, ok := v.Copy(other); ok || c.Since != 0 {
		t.Errorf("something is said of %s: %+v", other, c)
	}
	v.Cleared, v.Copies[0].Files = 3, &BlobInfo{SHA256: someDigest, Size: 1}
	if !v.IsCleared(other, 2) || v.IsCleared(other, 3) || v.Epoch(other) != 3 || v.Epoch(somePeer) != 4 || v.Begins(somePeer) == nil || v.Begins(other) != nil {
		t.Errorf("%+v: cleared, epochs or files are wrong", v)
	}
	if v.Since = 5; v.Begins(somePeer) != nil {
		t.Error("a later word leaves the files of an earlier one")
	}
	if !new(Volume).Counts(somePeer, 0) {
		t.Error("nothing is decided, and a copy does not count")
	}
}
