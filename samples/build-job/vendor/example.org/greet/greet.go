// Package greet has words for people.
package greet

// Whom greets a person by name.
func Whom(name string) string { return "Hello, " + name + "!" }
