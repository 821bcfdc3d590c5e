// Package owner is the person behind a realm: the key in their account, and the
// next intent that they sign with it.
//
// The key never goes to a node. A command reads what the sequence of a workload
// has come to, makes the version after it ([Key.Next]) and hands the signed
// envelope to the node, which knows only the public half.
//
// The key lies in one file, which tells everybody whose it is and for which realm.
// The private half may be sealed with a passphrase; such a key signs through the
// agent that holds it for a while (package keyagent), or with what a person opens
// for one command ([Key.OrOpen]). The file is only ever replaced as a whole, and
// [Words] are the copy of the key that survives the machine.
package owner
