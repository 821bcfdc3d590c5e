package logs

import (
	"errors"
	"io/fs"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/logfile"
)

// maxRead is how much of a log Last reads at most, in bytes of its files.
const maxRead = 512 << 10

// Last returns the last lines, at most n, of the log in the file at path, the oldest
// first; what does not fit in 512 KiB is left out, and what no program has written. A log
// that was never written to has none.
func Last(path string, n int) ([]api.LogLine, error) {
	lines, err := logfile.Tail(path, n, maxRead)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	out := make([]api.LogLine, 0, len(lines))
	for _, s := range lines {
		if l, ok := logfile.Parse(s); ok {
			out = append(out, l)
		}
	}
	return out, nil
}
