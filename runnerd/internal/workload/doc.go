// Package workload brings workloads to what is wanted of them, and keeps them there.
//
// Each workload ([api.Ref]) has an actor: one goroutine that takes the latest
// [Want], makes its program ready, and only then stops what ran before. So a
// version that cannot be fetched, compiled or instantiated changes nothing but the
// fact, which says why it failed and which older version goes on ([api.WorkloadFact.Serving]).
// What runs already goes on, too, when another version asks for the same (the owner
// has a new key, somebody has pushed again): it is told of as that version then.
// The intent that was last brought to run is kept on disk: should this process
// start again while the newest version is a bad one, the good one runs on.
//
// A command (a component without an interface) is one replica that is started
// again when it fails, after a growing pause. A function, or a component that
// answers HTTP, has no process: it is ready, and every call or request makes an
// instance of its own.
//
// The package knows nothing of the bus, nor of who has a say: package wanted decides
// what is wanted. It tells [Facts] where it stands.
package workload
