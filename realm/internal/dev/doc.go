// Package dev builds the program in a folder, anew whenever somebody saves something
// there: the half of realm dev that knows nothing of nodes.
//
// [Find] looks how a folder is built, [Builder.Build] does so, and finds the program that
// came of it; [Watch] tells of saves. A build is another process, in a group of its own
// that does not outlive it. What is built is not watched, and neither is what editors
// and tools keep for themselves: else each build would start the next.
package dev
