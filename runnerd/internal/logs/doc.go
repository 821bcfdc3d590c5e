// Package logs keeps what programs write: in files, in memory for the last few
// lines, and on the way to whoever listens now.
//
// A line in a file is as package logfile says: the text as it was written, without
// invalid UTF-8 (replaced by U+FFFD) and cut at [api.MaxLogLine] bytes. Files are
// rotated by size: NAME.log, then NAME.log.1, NAME.log.2 and so on.
//
// A program never waits for a listener and never fails because of its log: what
// finds no room on the disk is counted and left out, and a program that writes
// faster than a listener may be sent is heard in part, with the number of lines
// left out.
package logs
