// Package jobs carries out what a node owes the jobs of its realm.
//
// A [Manager] keeps a book of jobs and of what members say of their executions, asks the
// planner (package plan) whenever something has changed or its time has come, and does
// what the plan says: asks members about a claim, begins and stops executions, takes runs
// that wait elsewhere. What an execution reports becomes records, which go to the bus and
// by it to all members.
//
// Book and planner are under one lock; nothing that waits (members, disks, programs) is
// done under it. An execution counts from when its record stands in the book: so the next
// plan sees it.
package jobs
