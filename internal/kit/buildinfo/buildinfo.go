// Package buildinfo tells which Realm this binary is.
package buildinfo

// Version is set by the linker ("-X …/buildinfo.Version=v1.2.3"); all binaries
// of a release carry the same one.
var Version = "v0.0.0-dev"
