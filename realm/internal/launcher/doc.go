// Package launcher brings a node up and keeps it up: it holds the home's lock,
// makes the keys that a home needs, runs the bus in this process, and starts the
// daemons as processes that it supervises.
package launcher
