// Command ticker prints a line each second, to show what keeps running and where
// its log goes.
package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	fmt.Fprintln(os.Stderr, "ticker: started with", os.Args[1:])
	start := time.Now()
	for n := 1; ; n++ {
		fmt.Printf("tick %d after %s\n", n, time.Since(start).Round(time.Millisecond))
		time.Sleep(time.Second)
	}
}
