// Package launcher brings a node up and keeps it up: it holds the home's lock,
// makes the keys and chooses the ports that a home keeps, runs the bus in this
// process, and has the daemons supervised as processes of their own.
//
// What a home gets at its first start stays: the node's key is its peer id, the
// bus keys let clients survive a new launcher, and the ports are what other members
// have written down.
//
// When the launcher ends, however violently, its daemons end, too: their standard
// input is a life-line. The next launcher waits until the last one's daemons are
// gone, since they hold ports and sockets for a moment longer.
package launcher
