package wasi

import (
	"encoding/binary"
	"fmt"
	"io"
)

// All random numbers are as good as there are.
func randomFunctions() map[string]map[string]Function {
	return map[string]map[string]Function{
		"wasi:random/random":   {"get-random-bytes": plain(randomBytes), "get-random-u64": plain(randomNumber)},
		"wasi:random/insecure": {"get-insecure-random-bytes": plain(randomBytes), "get-insecure-random-u64": plain(randomNumber)},
		"wasi:random/insecure-seed": {"insecure-seed": plain(func(c *call) (any, error) {
			b, err := c.random(16)
			if err != nil {
				return nil, err
			}
			return []any{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}, nil
		})},
	}
}

func randomNumber(c *call) (any, error) {
	b, err := c.random(8)
	if err != nil {
		return nil, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

func randomBytes(c *call) (any, error) {
	n := get[uint64](c, 0)
	switch {
	case c.err != nil:
		return nil, c.err
	case n > maxRandom:
		return nil, trap("%d random bytes in one call: ask for at most %d, and more often", n, maxRandom)
	}
	b, err := c.random(int(n))
	if err != nil {
		return nil, err
	}
	return b, nil
}

func (c *call) random(n int) ([]byte, error) {
	if err := c.g.work(c.ctx, n); err != nil {
		return nil, err
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(c.g.env.Rand, b); err != nil {
		return nil, fmt.Errorf("read random bytes: %w", err)
	}
	return b, nil
}
