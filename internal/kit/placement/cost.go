package placement

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// hash names s by 64 bits that look random.
func hash(s string) uint64 {
	var b [128]byte // most are no longer: they cost no allocation
	sum := sha256.Sum256(append(b[:0], s...))
	return binary.BigEndian.Uint64(sum[:])
}

// cost is that of weighted rendezvous hashing: -log(u) / weight, where u in (0, 1] is a
// hash of both names. It is the time until a clock rings that rings weight times in a
// unit of time; so the chance to be the first is in proportion to weight, and taking a
// clock away does not change the order of the others.
//
// Whole numbers only: processors differ in the last bit of a logarithm of floats, and
// members must not differ at all. weight is below 2^26.
func cost(a, b, weight uint64) uint64 {
	return minusLog2(mix(a^b)) << 24 / weight
}

// mix makes 64 bits out of 64 bits such that each depends on all: the last step of
// SplitMix64 (G. Steele, D. Lea and C. Flood, "Fast splittable pseudorandom number
// generators", 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// fraction is how many bits of a logarithm stand behind the binary point.
const fraction = 32

// minusLog2 is -log2(x / 2^64) in units of 2^-fraction, at most 64 of them. It is
// interpolated between logarithms, which bends weights by less than 0.1 %, and never
// falls when x falls. x = 0 counts as 1.
func minusLog2(x uint64) uint64 {
	x |= 1
	zeros := bits.LeadingZeros64(x)
	x <<= zeros
	x <<= 1 // what is behind the point: the number is in [1, 2)
	i, rest := x>>(64-logBits), x<<logBits>>(64-fraction)
	log := logs[i] + (logs[i+1]-logs[i])*rest>>fraction
	return uint64(zeros+1)<<fraction - log
}

// logBits is how many bits of a number [logs] goes by.
const logBits = 10

// logs are log2(1 + i / 2^logBits), in units of 2^-fraction.
var logs = func() (t [1<<logBits + 1]uint64) {
	for i := range t[:1<<logBits] {
		x := uint64(1<<logBits+i) << (63 - logBits) // 63 bits behind the point
		// Squaring doubles the logarithm: its next bit is whether the square reaches 2.
		for range fraction {
			hi, lo := bits.Mul64(x, x)
			t[i] <<= 1
			if hi>>63 == 1 {
				t[i], x = t[i]|1, hi
			} else {
				x = hi<<1 | lo>>63
			}
		}
	}
	t[1<<logBits] = 1 << fraction
	return t
}()
