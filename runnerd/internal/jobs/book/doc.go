// Package book holds jobs and what members say of their executions, and derives from
// that how each run and job stands.
//
// A [Book] is a set: of jobs, and of the newest record of each execution. All else is a
// function of the set, and of who is up as this node sees it; records may come in any
// order, and more than once. So nodes that hold the same records agree, without asking
// each other. These rules derive a run from its executions:
//   - Executions are ordered by (Epoch, Peer). The success that is highest in that order
//     is the accepted result, unless one above it still goes on at a member that is up.
//   - An execution is fenced, and to be stopped, when there is one of a higher epoch, or
//     one above it of the same epoch that goes on or has succeeded. So when a partition
//     heals one is left, also of a service.
//   - Without a success and with nothing under way the run has failed when more
//     executions have failed than it has retries, or more were lost than that and
//     [api.MaxLosses], or one is an [api.CauseVerdict]. Lost are those whose members say
//     so, and those that do not end while there is a higher epoch. The highest failure
//     is then the accepted result.
//   - A run of a cancelled job, or one replaced by a later instant, that has not
//     succeeded is cancelled as soon as nothing of it is under way.
//   - A run that nobody has begun when its job expires is expired.
//   - Of a one-shot job that is held, a run which had ended stays so when records of it are
//     dropped.
//
// What has ended stays as it is, with two exceptions that come from members which were
// away: a success that they bring back is preferred to a failure, and of two successes the
// higher to the lower. Neither needs another execution.
//
// Work is done when something changes, for the run that changes: a record costs what its
// run has executions, whatever else is in the book. A Book reads no clock ([Book.Advance]
// tells it the time) and is for one goroutine at a time.
package book
