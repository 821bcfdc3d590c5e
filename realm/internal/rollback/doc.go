// Package rollback picks the version that a rollback goes back to, among those of a
// component, function or manifest that the node holds. Only versions that have counted
// come into question: no forks that lost, none of signers without a say, none that
// count later, and no removals.
package rollback
