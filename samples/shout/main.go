// Command shout is a function of text: what it is called with is its standard input, and
// what it writes to its standard output the result.
//
//	realm fn deploy --name shout --wasm samples/build/shout.wasm
//	realm fn exec shout "hello there"
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"strings"
)

func main() {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	if len(text) == 0 {
		log.Fatal("there is nothing to shout") // to its log, and to whoever called it
	}
	fmt.Print(strings.ToUpper(string(text)))
}
