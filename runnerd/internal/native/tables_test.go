//go:build linux

package native

import (
	"strings"
	"testing"
)

const tcpHead = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

func TestReachable(t *testing.T) {
	for text, want := range map[string]bool{ // as a little-endian machine has it
		"0100007F": true, "00000000": true, "0200007F": true, "0101A8C0": false, "7F00000A": false,
		"00000000000000000000000000000000": true, "00000000000000000000000001000000": true,
		"0000000000000000FFFF00000100007F": true, "0000000000000000FFFF00000101A8C0": false, "000080FE00000000FF565002BD69B1FE": false,
		"": false, "7F": false, "zz00007F": false, "0100007F00": false,
	} {
		if got := reachable(text); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func FuzzListeners(f *testing.F) {
	f.Add(tcpHead+"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 0 100 0 0 10 0\n", 8080)
	f.Add(tcpHead+"   0: 0100007F:1F90 00000000:0000 01\n", 8080)
	f.Fuzz(func(t *testing.T, text string, port int) {
		got := map[string]bool{}
		err := listeners(strings.NewReader(text), port, got)
		for inode := range got {
			if !strings.Contains(text, inode) || strings.ContainsAny(inode, " \n") {
				t.Errorf("%q, %v", inode, err)
			}
		}
	})
}
