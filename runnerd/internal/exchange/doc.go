// Package exchange is what all web programs have of a request and its connection, however
// they are spoken to: a body that can be taken back, reads and writes that end with a
// context, and the probes that ask whether a program is well.
package exchange
