// Package native runs native programs, and in the same way those for other processors under
// an emulator: confined, and so that they outlive runnerd.
package native
