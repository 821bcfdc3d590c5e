// Package manifest reads realm.toml: which components a person wants to run, each
// with what it needs. It knows the file alone; what its sources hold is found out by
// package sources, and what has to change by package plan. docs/MANIFEST.md is the
// reference of every key, and the tests read each example there.
//
// A file is read in three steps: its syntax, then what TOML forbids between its keys
// (go-toml does both), then what the keys mean, by the tables in component.go. The
// third step goes on after a mistake, so that a person sees all of them at once, each
// with its line and column, the line itself and, for a word that is not known, the
// word that was probably meant.
package manifest
