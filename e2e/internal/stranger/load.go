package stranger

import (
	"context"
	"net"
	"sync"
	"time"
)

// Flood keeps count TCP connections to addr (HOST:PORT) busy until ctx ends: each
// sends first, and then, for as long as it is let, one byte a second. A connection
// that is closed is made again. It returns how many connections were made.
func Flood(ctx context.Context, addr string, count int, first []byte) int {
	var wg sync.WaitGroup
	made := make([]int, count)
	for i := range count {
		wg.Go(func() {
			for ctx.Err() == nil {
				if drip(ctx, addr, first) {
					made[i]++
				}
				select {
				case <-ctx.Done():
				case <-time.After(100 * time.Millisecond):
				}
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, n := range made {
		sum += n
	}
	return sum
}

// drip holds one connection open until it is closed or ctx ends.
func drip(ctx context.Context, addr string, first []byte) (connected bool) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	next := first
	for {
		if _, err := c.Write(next); err != nil {
			return true
		}
		next = []byte{0}
		select {
		case <-ctx.Done():
			return true
		case <-time.After(time.Second):
		}
	}
}
