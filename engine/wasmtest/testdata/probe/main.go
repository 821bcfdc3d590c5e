// Command probe is a guest for tests: its arguments are steps, done in order.
package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// held are files that stay open.
var held []*os.File

func main() {
	for _, step := range os.Args[1:] {
		name, arg, _ := strings.Cut(step, "=")
		do(name, arg)
	}
}

func do(name, arg string) {
	switch name {
	case "out":
		fmt.Println(arg)
	case "err":
		fmt.Fprintln(os.Stderr, arg)
	case "env":
		fmt.Println(os.Getenv(arg))
	case "args":
		fmt.Println(strings.Join(os.Args, " "))
	case "sleep":
		d, err := time.ParseDuration(arg)
		must(err)
		time.Sleep(d)
	case "loop":
		for i := 0; ; i++ {
			_ = i
		}
	case "lines":
		n, err := strconv.Atoi(arg)
		must(err)
		for i := range n {
			fmt.Printf("line %d %s\n", i, strings.Repeat("x", 100))
		}
	case "copy":
		_, err := io.Copy(os.Stdout, os.Stdin)
		must(err)
	case "drain":
		n, err := io.Copy(io.Discard, os.Stdin)
		must(err)
		fmt.Println(n)
	case "alloc":
		n, err := strconv.Atoi(arg)
		must(err)
		b := make([]byte, n<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		fmt.Println(len(b))
	case "open": // and leave it open
		f, err := os.OpenFile(arg, os.O_RDWR|os.O_CREATE, 0o600)
		must(err)
		_, err = f.WriteString("opened\n")
		must(err)
		held = append(held, f)
	case "ls":
		entries, err := os.ReadDir(arg)
		fmt.Println(len(entries), err)
	case "raw":
		text, err := strconv.Unquote(`"` + arg + `"`)
		must(err)
		_, err = io.WriteString(os.Stdout, text)
		must(err)
	case "exit":
		n, err := strconv.Atoi(arg)
		must(err)
		os.Exit(n)
	case "panic":
		panic(arg)
	default:
		panic("unknown step " + name)
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
