// Package holders remembers which members have which volumes, also while they are away.
//
// Each member signs what it holds ([api.Holdings]) and tells it with what it says of
// itself; of two statements of one member the one with the larger number counts, whoever
// passes it on. A member that goes away is spoken for by all that remember it, so that a
// newcomer does not begin anew what is there already. What is remembered is on disk.
package holders
