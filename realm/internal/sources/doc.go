// Package sources finds the programs that a manifest names: in files, at addresses,
// in registries (package oci), and in the stores of the realm's nodes; by themselves, or in
// packages (package pack). What it returns has been checked to be a
// program, and against the digest that the manifest gives; the bytes themselves stay
// where they are, or in a temporary folder, until a node is to have them.
//
// What comes from an address is read no further than the largest program goes, over
// https alone (http where it does not leave this machine), after few redirections,
// and dropped when its digest is another one.
package sources
