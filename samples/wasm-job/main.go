// Command wasm-job counts the words of words.txt, if it was given that, and writes the
// count into count.txt. With a duration as its first argument ("3s") it takes so long first.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 {
		if d, err := time.ParseDuration(os.Args[1]); err == nil {
			time.Sleep(d)
		}
	}
	fmt.Println("wasm-job:", time.Now().UTC().Format(time.RFC3339), strings.Join(os.Args[1:], " "))
	assets := os.Getenv("REALM_ASSETS")
	if assets == "" {
		assets = "/tmp/assets"
	}
	text, err := os.ReadFile(filepath.Join(assets, "words.txt"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EBADF) { // or it was given no folder at all
		return // nothing to count
	}
	if err == nil {
		count := len(strings.Fields(string(text)))
		fmt.Println("words:", count)
		err = os.WriteFile("count.txt", fmt.Appendln(nil, count), 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "wasm-job:", err)
		os.Exit(1)
	}
}
