// Package share divides what a node can send or take among those who want it.
//
// A [Queue] hands out turns. A turn stands for some bytes of a flow: those that a
// member is sent, or those of a blob that is fetched. While several flows wait, each
// gets bytes in proportion to its weight, however many turns it asks for at once
// (start-time fair queueing: P. Goyal, H. Vin, H. Cheng, "Start-time Fair Queuing",
// SIGCOMM 1996). One that has asked for nothing for a while has saved up nothing.
//
// Two bounds hold besides: so many bytes a second in all, and so many turns at once,
// of all flows and of each. A turn that takes long waits for the other end, not for
// this node: after [Config.Slow] it counts no longer against the others' turns, so
// that a few members on slow lines do not hold up all.
//
// Nothing runs in the background: a turn is handed out by whoever asks for one or
// ends one, or by a timer while turns wait for their second.
package share
