// Package tomlfile reads the TOML files that people write for Realm: manifests and job
// files. It knows no file as a whole, but the values that they share.
//
// A file is read in three steps: its syntax, then what TOML forbids between its keys
// (go-toml does both), then what the keys mean, by the [Keys] of who reads it. The third
// step goes on after a mistake, so that a person sees all of them at once, each with its
// line and column, the line itself and, for a word that is not known, the word that was
// probably meant.
package tomlfile
