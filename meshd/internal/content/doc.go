// Package content answers who may have a blob, and tells others what this node has.
//
// It is asked while somebody waits for a program to start, hence it answers from
// memory wherever it can: whoever sent the intent that names the blob, whoever
// has announced it to this node, then all neighbours, the nearest first. Only
// when none of that knows a likely holder, and neighbours are few or are not the
// whole realm, does it ask the DHT, for at most a second; where one or two are known
// it asks the DHT for the next time. Asking a member that lacks a blob costs one round
// trip and nothing else.
//
// What is announced is provided in the DHT in the background, one blob after the
// other, again when somebody is there to hear it, and again every twelve hours,
// since records expire. The set of announced blobs lives in memory: casd
// announces what it has when it starts.
package content
