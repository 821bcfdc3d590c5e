// Package cli is the realm command: it turns a command line into calls of the
// packages beside it, and their results into text or JSON.
//
// Results go to standard output, problems and progress bars to standard error.
// With --json standard output holds JSON values alone. Exit codes: 0 it is so;
// 1 it is not, and the error says why and what to do; 2 the command line was
// wrong, and nothing was begun. Every command ends by itself within --timeout,
// but for those whose work is to go on: up, dev, status --watch and logs -f.
//
// A command is made by one function (newPush …), which declares flags and an
// example, and checks what can be checked of its arguments before anything happens.
package cli
