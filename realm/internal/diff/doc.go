// Package diff tells what differs between two versions of a component, function or
// manifest: field by field, in the words of realm.toml. Everything that an intent says
// is compared, also what this package has no words for, but for who looks after it: two
// versions without a difference ask nodes for the same.
package diff
