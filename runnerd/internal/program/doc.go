// Package program makes what an intent names ready to run: it has the bytes
// fetched, checks them, has them compiled in a child process, and loads the result.
//
// Everything that cannot be mended by waiting is a [*RefusedError] whose text
// tells the author of the program what to change. Any other error may pass: a
// blob that no peer has at the moment, a full disk.
package program
