// Command double is the smallest useful function: it exports one name, which
// takes a number and returns twice that.
//
// It is built as a reactor (-buildmode=c-shared): the host sets the Go runtime
// up once per instance and then calls the export. main is never called.
package main

//go:wasmexport double
func double(n int64) int64 { return 2 * n }

func main() {}
