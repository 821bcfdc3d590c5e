// Package wasmtest makes modules for tests: small ones byte by byte, without any
// tool, and real ones by stock Go from sources in testdata and in the samples.
package wasmtest
