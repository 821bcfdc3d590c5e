// Package keyagent is the process that holds an owner key in memory while it is
// unlocked, so that a person types its passphrase once and not for every command.
//
// The process is this program once more ([Start] runs it, [Run] is what it does),
// detached from the terminal. It gets the key through a pipe, never through
// arguments, environment or disk, and speaks the SSH agent protocol
// (draft-ietf-sshm-ssh-agent) on a Unix socket in a folder that only its user can
// enter. It signs, lists, and forgets; nothing takes the key out of it again.
//
// It ends when its time is over, by the wall clock and by the time that it has
// been running, whichever is first: neither a machine that slept nor a clock that
// was set back gives it longer. It ends as well when it is told to ([Client.Lock],
// or ssh-add -D), when its socket is gone, and with SIGTERM. It leaves nothing.
package keyagent
