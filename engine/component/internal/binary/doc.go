// Package binary has the syntax of components, as their binary format has it.
package binary
