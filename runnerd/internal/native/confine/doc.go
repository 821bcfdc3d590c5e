// Package confine keeps a native program, which nobody has looked into, away from the
// node and its owner.
//
// [Probe] finds out, by trying, what this machine can do. [Plan] says what shall hold for
// one execution, and the process that [InitCommand] starts brings it about: it is the
// first process of the execution, confines one of its own threads step by step, and starts
// the program from there, since all of these steps hold for a thread and what it starts:
//
//  1. limits of the process (rlimits), the namespaces and the control group: the
//     shim has made these when it started the process;
//  2. a root of its own, in a mount namespace: the system read-only, a private /tmp, the
//     working folder, the assets;
//  3. no_new_privs: no program gains rights by being started, whatever its mode says;
//  4. Landlock: what may be read, what may be written, nothing else; no signals and no
//     abstract sockets of others;
//  5. a user id of its own, no groups, no capabilities;
//  6. a seccomp filter: no Unix, netlink or packet sockets, no namespaces, mounts, traces,
//     keys, kernel modules, io_uring (which would go round the filter).
//
// What is missing on a machine has a reason in words ([Layer]). Not confined anywhere: the
// network by IP, time and load of the processor beyond its limits, and what a bug of the
// kernel gives away.
//
// The system calls are made here and not by a library, because those at hand confine all
// threads of a process (Landlock), or let calls of a foreign architecture pass (seccomp).
package confine
