package config

import (
	"errors"
	"fmt"

	"github.com/realm-mesh/realm/internal/kit/disk"
)

// Bounds of what the store of blobs is given.
const (
	maxQuotaMB = 1 << 40 // MiB
	minRate    = 0.01    // MB/s: below, a member would give up before a chunk is through
	maxRate    = 1e6     // MB/s
)

// StorageQuota is how many bytes the store of blobs in folder dir may grow to: the
// setting, else half of the file system that dir lies on.
func (n Node) StorageQuota(dir string) (int64, error) {
	if n.StorageQuotaMB > 0 {
		return n.StorageQuotaMB << 20, nil
	}
	size, err := disk.Size(dir)
	if err != nil {
		return 0, fmt.Errorf("look at the size of the file system of %s: %w; set storage_quota_mb", dir, err)
	}
	return size / 2, nil
}

// Upload is how many bytes of blobs a second this node may send to others; 0: any.
func (n Node) Upload() int64 { return int64(n.UploadMBS * 1e6) }

// Download is how many bytes of blobs a second this node may take; 0: any.
func (n Node) Download() int64 { return int64(n.DownloadMBS * 1e6) }

func (n Node) validateStorage() error {
	var quota error
	if n.StorageQuotaMB < 0 || n.StorageQuotaMB > maxQuotaMB {
		quota = fmt.Errorf("%w: storage_quota_mb %d: want 1 to %d MiB, or 0 for half of the file system", ErrInvalid, n.StorageQuotaMB, maxQuotaMB)
	}
	return errors.Join(quota, validateRate("upload_mb_s", n.UploadMBS), validateRate("download_mb_s", n.DownloadMBS))
}

func validateRate(name string, v float64) error {
	if v == 0 || v >= minRate && v <= maxRate { // false for NaN, too
		return nil
	}
	return fmt.Errorf("%w: %s %g: want %g to %g MB a second, or 0 for no limit", ErrInvalid, name, v, minRate, maxRate)
}
