// Package shim is the process that stands between runnerd and one native program: it
// starts the program, keeps what it writes, ends it in time, and writes down how it ended.
// It outlives runnerd, and has nothing of it but its orders.
//
// All that decides something runs in one goroutine, [shim.watch], which also owns the
// thread that the program's first process dies with.
package shim
