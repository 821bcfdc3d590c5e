//go:build !race

package component

const mostParsed = 64 << 20
