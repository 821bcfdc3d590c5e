// Package intents decides which signed intents this node accepts, and keeps them.
//
// The order of an acceptance is what makes it hold over any crash: check the
// owner's signature; is it newer than the mark? put it into the store, synced;
// raise the mark, synced; only then tell others. A crash in between leaves a store
// that is ahead of the marks, which [Open] mends by raising them.
//
// The marks are files of their own, so that a store which was lost, or put back
// from an old copy, brings no old intent back to life. The very version that a
// mark names is taken again when the store has lost it: from whoever has it.
//
// There is one writer at a time; reading needs no turn.
package intents
