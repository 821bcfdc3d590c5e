// Package zoo keeps modules that are hostile: to who decodes them, to who compiles them,
// or to who runs them. They are in engine/testdata/zoo, too, one file each, written by
// this package's test with -update.
package zoo
