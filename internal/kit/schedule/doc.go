// Package schedule says when recurring jobs run. Every member of a realm computes the
// same instants from the same text, and an instant is part of the name of a run: nothing
// here depends on the node's clock, its own time zone or the zone tables of its system.
// The tables are those of zoneinfo.zip, so that members of one version agree; the rules
// of a zone change with a release of Realm.
//
// # Expressions
//
// Five fields, minute, hour, day of month, month and day of week, or six with seconds
// first; @hourly, @daily, @weekly, @monthly, @yearly; or "@every 90s". A field is a list
// of values, ranges (22-2 goes over the end) and steps (*/15; 5/15 is from 5 on). Where
// neither day field begins with *, a day has to match one of them, else both, as in cron.
//
// "@every D" counts from 1970-01-01 00:00 UTC: its instants are the multiples of D, the
// same for all jobs and all nodes, whenever the job was submitted and whatever its zone.
//
// # When clocks are changed
//
// The model is Vixie's cron, which tells two kinds of schedule apart:
//   - with a * in hours or minutes (here also in seconds, which cron has not) it follows
//     the clock as people see it: what the clock leaves out is not run, what it shows
//     twice is run twice;
//   - all others name fixed times, each of which is run once a day: one that the clock
//     leaves out at the instant of the change, one that it shows twice the first time.
//
// Two things differ. Several fixed times within one gap are one run, since they would be
// one instant. And cron takes a change of three hours or more for a correction of the
// clock and lets fixed times in it go: the tables hold no corrections, so here the rule
// has no such limit, and where a zone left out a whole day (Samoa, 30 December 2011) its
// runs are due, as one, when the next day begins.
package schedule
