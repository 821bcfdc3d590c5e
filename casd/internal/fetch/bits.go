package fetch

// bits has one for each chunk, the lowest of the first byte for chunk 0, as in
// [api.Have].
type bits []byte

func newBits(n int) bits { return make(bits, (n+7)/8) }

func allBits(n int) bits {
	b := newBits(n)
	for i := range n {
		b.set(int32(i)) //nolint:gosec // at most api.MaxChunks
	}
	return b
}

func (b bits) get(i int32) bool { return b[i/8]>>(i%8)&1 != 0 }
func (b bits) set(i int32)      { b[i/8] |= 1 << (i % 8) }
func (b bits) clear(i int32)    { b[i/8] &^= 1 << (i % 8) }
