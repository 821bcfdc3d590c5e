// Command app greets whom it is told to; it is what the sample build-job compiles.
package main

import (
	"fmt"
	"os"
	"strings"

	"example.org/greet"
)

func main() { fmt.Println(greet.Whom(strings.Join(os.Args[1:], " "))) }
