// Package pack makes and reads packages: a program with its settings, the files that it
// shows, and the volumes that it keeps its state in, in one .realm file.
//
// A package is a zip archive as package archive makes them, so that the same folder is the
// same bytes on every machine. Its manifest.toml has the settings of a component as
// realm.toml has them, with the digest of the program, and a table for each mount. What
// reaches a node is what of it the manifest names: the program, and, for each mount with
// files, an archive of its own ([Blob]), which is made from the package, or from a folder,
// each time that it is read.
//
// Packages come from strangers. Opening one checks the whole archive, the manifest with all
// its mistakes, and the digest of the program; nothing is ever unpacked on this machine.
// Who may run it is not the package's to say: that is signed when it is deployed.
package pack
