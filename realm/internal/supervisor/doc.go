// Package supervisor runs programs as child processes and keeps them up. It knows
// nothing of the bus: who hears that a program is ready calls [Supervisor.Ready].
//
// Each program has one goroutine, its keeper, which starts the process, waits for
// its end and decides what follows:
//
//	starting --ready--> ready          a restart, a death or a stop can come in any state
//	   |                  |
//	   +------ dies ------+--> backoff --> starting …
//	   |                  |
//	   +-- budget spent, --+--> failed   until somebody asks for a restart
//	       or exit code 78
//
// A process is the leader of its own process group, where there are such, so that a
// Ctrl-C of the terminal reaches the supervisor alone, and what a process leaves
// behind dies with it. Its standard input is a life-line: a pipe that the operating
// system closes when the supervisor's process ends, however it ends.
package supervisor
