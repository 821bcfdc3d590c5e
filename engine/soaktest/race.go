//go:build race

package soaktest

// slackResident is slackBytes, and what the race detector notes of memory that the collector has not
// come to (engine.MakeRoom lets it wait for more): it never gives that back.
const slackResident = 40 << 20
