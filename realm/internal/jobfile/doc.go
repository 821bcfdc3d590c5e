// Package jobfile reads job files: TOML that says what a job executes, how often, where
// it may run, and what becomes of its output. docs/JOBS.md is the reference of every key.
//
// A file makes a [Plan]: the body of the job's intent, except for its blobs, and where
// those come from. Nothing of them is read here but by [Plan.Fit], which looks at the
// beginning of the program: what it is decides on which machines it can run.
package jobfile
