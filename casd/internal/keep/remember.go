package keep

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// Files in the folder of a [Keeper]. Both may be removed while it does not run: then
// nothing is known until meshd tells.
const (
	fileNeeds   = "needed.ndjson" // a head, then references, one a line
	fileMembers = "members.json"  // who could keep blobs
)

// head is the first line of fileNeeds.
type head struct {
	Tag   string `json:"tag,omitempty"` // ETag of meshd's answer
	Count int    `json:"count"`         // of lines that follow
}

// Load reads what was known when the keeper last ran. What cannot be read is not known.
func (k *Keeper) Load() error {
	if err := errors.Join(os.MkdirAll(k.cfg.Dir, 0o700), atomicfile.SyncDir(filepath.Dir(k.cfg.Dir))); err != nil {
		return fmt.Errorf("remember what the realm needs: %w", err)
	}
	n, err := k.readNeeds()
	if err == nil {
		k.take(n)
	} else if !errors.Is(err, fs.ErrNotExist) {
		k.parts.Log.Warn("what the realm needed last cannot be read; it is not known until meshd tells", telemetry.Error(err))
	}
	peers, err := k.readMembers()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		k.parts.Log.Warn("who kept blobs last cannot be read", telemetry.Error(err))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.roster.remember(peers, time.Now())
	return nil
}

func (k *Keeper) readNeeds() (*needs, error) {
	f, err := os.Open(filepath.Join(k.cfg.Dir, fileNeeds))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	line, err := r.ReadSlice('\n')
	if err != nil {
		return nil, fmt.Errorf("its head: %w", err)
	}
	var h head
	if err := json.Unmarshal(line, &h); err != nil {
		return nil, fmt.Errorf("its head: %w", err)
	}
	list, err := readReferences(r)
	if err != nil {
		return nil, err
	}
	if len(list) != h.Count {
		return nil, fmt.Errorf("%s has %d lines, want %d", f.Name(), len(list), h.Count)
	}
	return newNeeds(h.Tag, list), nil
}

func (k *Keeper) writeNeeds(n *needs) error {
	var b bytes.Buffer
	lines := json.NewEncoder(&b)
	if err := lines.Encode(head{n.tag, len(n.list)}); err != nil {
		return err
	}
	for i := range n.list {
		if err := lines.Encode(&n.list[i]); err != nil {
			return err
		}
	}
	return atomicfile.Write(filepath.Join(k.cfg.Dir, fileNeeds), b.Bytes(), 0o600)
}

// maxMembers is the size of fileMembers, in bytes.
const maxMembers = 1 << 20

func (k *Keeper) readMembers() (out []api.PeerID, err error) {
	f, err := os.Open(filepath.Join(k.cfg.Dir, fileMembers))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := api.ReadAll(f, maxMembers)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &out); err != nil {
		return nil, err
	}
	for _, p := range out {
		if _, err := api.ParsePeerID(string(p)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (k *Keeper) writeMembers(all []candidate) {
	out := make([]api.PeerID, 0, len(all))
	for _, c := range all {
		out = append(out, c.peer)
	}
	b, err := json.Marshal(out)
	if err == nil {
		err = atomicfile.Write(filepath.Join(k.cfg.Dir, fileMembers), b, 0o600)
	}
	if err != nil {
		k.parts.Log.Warn("who keeps blobs is not remembered", telemetry.Error(err))
	}
}
