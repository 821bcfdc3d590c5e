// Command bench measures components as runnerd serves them, beside a server of net/http
// that does the same, and beside jco where there is one: how much time of a processor a
// request takes, whoever asks left out, as each server is a process of its own on a
// processor of its own. All are taken by turns; medians count.
//
//	cd runnerd && GOWORK=off go run ./internal/wasihttp/bench [--rounds 5] [--js FILE] [--jco PROGRAM]
package main
