// Package native runs native programs, and in the same way those for other processors under
// an emulator: confined, and so that they outlive runnerd.
//
// # Parties
//
//   - runnerd starts an execution ([Start]), or finds one again that an earlier runnerd
//     started ([Attach]), waits for its result and reads its log.
//   - The shim (package shim, "runnerd job-shim"), one for each execution, has a session of
//     its own and needs nobody: neither the end of runnerd nor of the launcher ends it. It
//     keeps the output by package logs, ends the program in time, watches what the kernel
//     does not, and at last writes the result, on the disk, before it ends.
//   - The init (package confine, "runnerd job-init") is the first process in the namespaces
//     of the execution, and confines the thread from which it starts the program.
//   - The program is a stranger's. Nothing is expected of it but harm.
//
// The shim and the init watch each other: the init kills all of the program when its orders
// end, the shim when its reports end. What is left when both are killed at once is found by
// the control group, the user id or the pid namespace (which dies with the init); where a
// machine has none of them, by the environment that the program was started with, which a
// program can hide.
//
// # What keeps a program in
//
//	what it might do                      what keeps it from that
//	read the node's home, keys, others'   the root of its own (mount namespace), Landlock, its user id
//	write outside of its folder and /tmp  the same
//	reach the node's Unix sockets         seccomp (no such sockets), the root of its own
//	signal, trace, read other processes   pid namespace, user id, Landlock (from version 6 signals), seccomp
//	gain rights by setuid, namespaces     no_new_privs, no capabilities, seccomp
//	start processes without end           cgroup pids, RLIMIT_NPROC; all of it is killed at once
//	use up memory                         cgroup memory; else the shim looks each 100 ms
//	fill the disk                         the shim looks each 100 ms; RLIMIT_FSIZE; the last 48 MiB are kept free
//	outlive its end                       pid namespace, cgroup, one signal to all of its user or Landlock domain
//	flood its log                         rotated, cut lines; runnerd reads what it wants
//
// Nothing keeps it from using the network by IP, the loopback among it (the node's own
// listeners ask for tokens), nor from learning what processors and caches give away, which
// processes there are (their command lines, without a pid namespace), and what the system's
// own folders hold that every user may read. A limit that is looked at is passed for a
// moment. The programs of one user namespace without pid namespace share RLIMIT_NPROC with
// the node's user. 32-bit programs do not run natively on a 64-bit system: their system calls
// have other numbers, and are refused.
//
// The environment holds nothing of the node's. Open are /dev/null and the two outputs.
//
// Outside Linux a program has the rights of the node. What does not hold on a machine, or for
// one execution, [Confinement] says with the reason. Where the baseline does not hold on a
// Linux machine Start refuses, unless the Spec allows less.
//
// # Files
//
// In [Spec].Dir: state.json (what the shim runs as), result.json, output.log and older ones
// beside it, shim.lock (held while the shim lives), shim.err (what it had to say itself), ctl
// (its socket), private/ (the program's /tmp and /dev/shm; removed at the end).
package native
