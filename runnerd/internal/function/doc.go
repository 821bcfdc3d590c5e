// Package function calls exports of modules with numbers, and commands with text.
//
// Each call has an instance of its own, which no call has used before. Making one
// takes milliseconds where a language brings a runtime with it (stock Go: about
// four), so a few are made ahead while a function is in use.
//
// Numbers stay exact: an argument is read by the type of its parameter, never as a
// JSON number first, and floats are written with as few digits as give the same
// float back.
//
// A module that has _initialize (a reactor) gets it run once per instance. One
// that has only _start (a command) is called without running that: toolchains
// which export functions of commands (wasi-libc, Rust, AssemblyScript) set up what
// those need in the export itself. Stock Go does not, and must be built with
// -buildmode=c-shared.
//
// # Commands
//
// A program without an export to call that is a command, a core module or a component,
// is run to its end: the one argument of a call is its standard input, and what it
// writes to its standard output the result, as a JSON string, byte for byte. That has
// to be UTF-8, and at most [api.MaxText] long. An exit code other than 0 is a failure,
// told with the last lines of its standard error, which goes to the log.
package function
