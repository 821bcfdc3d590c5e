package config

import (
	"path/filepath"
	"testing"

	"github.com/realm-mesh/realm/internal/kit/disk"
)

func TestStorageQuota(t *testing.T) {
	dir := t.TempDir()
	size, err := disk.Size(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := (Node{}).StorageQuota(dir); err != nil || got != size/2 {
		t.Errorf("nothing set: %d, %v; want half of %d", got, err, size)
	}
	none := filepath.Join(dir, "none")
	if got, err := (Node{StorageQuotaMB: 3}).StorageQuota(none); err != nil || got != 3<<20 {
		t.Errorf("3 MiB: %d, %v", got, err)
	}
	if _, err := (Node{}).StorageQuota(none); err == nil {
		t.Error("a folder that is not there has a size")
	}
}

func TestRates(t *testing.T) {
	n := Node{UploadMBS: 1.5, DownloadMBS: 0.01}
	if n.Upload() != 1_500_000 || n.Download() != 10_000 {
		t.Errorf("%d up, %d down", n.Upload(), n.Download())
	}
	if n = (Node{}); n.Upload() != 0 || n.Download() != 0 {
		t.Errorf("no limits: %d up, %d down", n.Upload(), n.Download())
	}
}
