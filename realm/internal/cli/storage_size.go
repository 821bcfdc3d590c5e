package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/realm-mesh/realm/api"
)

// sizeFlag is a flag that holds a number of bytes, as [parseSize] reads it.
type sizeFlag int64

// Set implements [pflag.Value].
func (s *sizeFlag) Set(text string) error {
	n, err := parseSize(text)
	if err != nil {
		return err
	}
	*s = sizeFlag(n)
	return nil
}

// String implements [pflag.Value].
func (s *sizeFlag) String() string {
	if *s == 0 {
		return ""
	}
	return sizeText(int64(*s))
}

// Type implements [pflag.Value].
func (*sizeFlag) Type() string { return "size" }

// units are what may follow a number of bytes, in any case; those of one letter are as
// most tools have them.
var units = map[string]float64{
	"": 1, "b": 1,
	"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
	"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
}

// maxSize is more than any store holds: larger numbers are mistakes.
const maxSize = 1 << 50

// parseSize reads a number of bytes with its unit: 500MiB, 1.5 GB, 2G, 4096.
func parseSize(text string) (int64, error) {
	number := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	unit, known := units[strings.ToLower(strings.TrimSpace(text[len(number):]))]
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !known || strings.Trim(number, "0123456789.") != "" {
		return 0, fmt.Errorf("%.40q: want a number of bytes such as 500MiB or 2GiB", text)
	}
	if n = math.Ceil(n * unit); n < 1 || n > maxSize {
		return 0, fmt.Errorf("%.40q: want more than nothing, and up to 1024 TiB", text)
	}
	return int64(n), nil
}

// sizeText is a number of bytes for people, 0 included.
func sizeText(n int64) string {
	if n <= 0 {
		return "0 B"
	}
	return bytesText(n)
}

// blobText names a blob for people.
func blobText(b api.BlobInfo) string { return b.SHA256.Short() + " (" + sizeText(b.Size) + ")" }
