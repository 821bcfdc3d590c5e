// Command counter-file counts its starts and then, once a second, in a file of the
// folder that its first argument names (/data without one). What it has counted is
// there when it starts again.
//
//	counter-file [FOLDER]
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func main() {
	folder := "/data"
	if len(os.Args) > 1 {
		folder = os.Args[1]
	}
	if err := count(folder); err != nil {
		fmt.Fprintln(os.Stderr, "counter-file:", err)
		os.Exit(1)
	}
}

func count(folder string) error {
	file := filepath.Join(folder, "count")
	n, err := read(file)
	if err != nil {
		return err
	}
	if err := note(filepath.Join(folder, "starts"), n); err != nil {
		return err
	}
	fmt.Println("counting on from", n)
	for {
		n++
		if err := replace(file, n); err != nil {
			return err
		}
		fmt.Println("count", n)
		time.Sleep(time.Second)
	}
}

// read is the number in a file, 0 if there is none.
func read(file string) (int, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("read %s: %w: remove the file to begin anew", file, err)
	}
	return n, nil
}

// replace has a file hold n: whoever reads it finds the old number or the new one.
func replace(file string, n int) error {
	next := file + ".next"
	if err := os.WriteFile(next, fmt.Appendln(nil, n), 0o600); err != nil {
		return err
	}
	return os.Rename(next, file)
}

// note adds a line to the file of all starts.
func note(file string, n int) (err error) {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = fmt.Fprintf(f, "%s at %d\n", time.Now().UTC().Format(time.RFC3339), n)
	return err
}
