// Package workload brings workloads to what is wanted of them, and keeps them there.
//
// Each workload ([api.Ref]) has an actor, which takes the latest [Want] and does what
// this node owes it ([api.Duty]). What an actor may hold are up to three versions:
//   - one that runs or answers;
//   - one that is wanted instead. It is fetched and compiled, waits for its turn while
//     the duty is to hold, and then proves itself beside the other: a command by living
//     for a while, a web program by being made, or by answering the path of its health.
//     Once ready it takes over, and the other one stops; calls on their way finish;
//   - one that was stopped for it, where the order of the update is stop-first.
//
// So a version that cannot be fetched, compiled or made, that ends badly, or that is
// not ready by its deadline changes nothing but the fact, which says why and which
// older version goes on ([api.WorkloadFact.Serving]). What runs goes on, too, when
// another version asks for the same ([api.Workload.Instance]): it is told of as that
// version then. The intent that was last good here is kept on disk: should this process
// start again, it runs at once, and the wanted version proves itself beside it as ever.
//
// A command (a component without an interface) is one replica that is started again,
// as its policy says, after growing pauses. A function, or a component that answers
// HTTP, has no process: it is ready, and every call or request makes an instance of its
// own. A web program that names a path is asked at intervals whether it is well.
//
// What this node cannot take though others may (see [Admission]; a full disk) it
// refuses, whatever follows for its duty, until it would take it: others should not
// step in and out with the moment.
//
// Concurrency: an actor has a goroutine only while there is something to do, and a
// version one only while a command runs or a path is asked. What is idle costs neither
// goroutine nor timer. The goroutine looks at everything anew each time it is roused
// ([actor.reach]) and alone changes which versions are there.
//
// The package knows nothing of the bus, nor of who has a say: others decide what is
// wanted and what is owed. It tells [Facts] where it stands.
package workload
