// Package execute carries out executions of jobs, from staging to the result.
//
// Each execution has a folder of its own:
//
//	ROOT.RUN.EPOCH/     ROOT: 20 digits of the job's root
//	  order.json        what is executed; so a new runnerd finds it again
//	  program/FILE      the program
//	  assets/NAME
//	  work/             the run's folder, which the program may write
//	  shim/             of native programs: package native
//	  log, log.1 …      what it wrote: package logs
//	  outcome.json      how it ended, until artifacts and log are in the store
//	  result.json       all of that
//
// A wasm program runs in this process, and is lost with it. A native one, or one under an
// emulator, belongs to a shim that outlives runnerd; [Executor.Recover] finds it again.
// A result is on disk before it is told, and stays until somebody says that the record
// is ([Executor.Forget]).
//
// What a program writes is kept here while it runs. In the end it goes into the record,
// or the store, and with it the artifacts, however the execution ended.
package execute
