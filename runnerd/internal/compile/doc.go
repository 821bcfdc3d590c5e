// Package compile has untrusted modules compiled in a process of their own.
//
// A module of some hundred bytes can make a compiler take all memory, run for
// minutes, or panic (wazero v1.12 does each of these), and a context stops none
// of it. So runnerd starts itself anew as "runnerd compile", a child with hard
// limits on memory and processor time where the operating system has them, kills
// it when it takes too long, and learns from its exit what to tell people. What
// the child leaves behind is the cache entry that [sandbox.Engine.Load] reads.
//
// Parent and child speak through the child's streams: in, the length of the
// module (8 bytes, big endian) and the module; then the pipe stays open, and its
// end ends the child, should runnerd die. Out, one JSON [result].
package compile
