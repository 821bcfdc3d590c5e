package dev

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// maxConfig caps what is read of a file that says how to build, in bytes.
const maxConfig = 1 << 20

// Builder is how a folder is built.
type Builder struct {
	Dir  string   // where
	Args []string // the command; its first word is found in the PATH
	Env  []string // besides the environment here, NAME=VALUE
	File string   // the program that comes of it; "": it is looked for in Dir
}

// String is the command as a person would type it.
func (b Builder) String() string {
	return strings.Join(append(b.Env[:len(b.Env):len(b.Env)], b.Args...), " ")
}

// Find looks how the folder dir is built: by command, a line for a shell, if it is not
// empty, or else as the first of these files says: a Makefile with a target wasm or
// build, go.mod or Go files, Cargo.toml, package.json with a script build, a Makefile.
// file is the program that is made, "" for one that is looked for. out is a folder for
// what has no place of its own. The error says what to do where nothing is found, or
// the tool is not installed.
func Find(dir, command, file, out string) (Builder, error) {
	b := Builder{Dir: dir, File: file}
	switch {
	case command != "":
		b.Args = shell(command)
	default:
		for _, find := range []func(*Builder, string) (bool, error){target, golang, cargo, npm, plainMake} {
			ok, err := find(&b, out)
			if err != nil {
				return b, err
			}
			if ok {
				break
			}
		}
	}
	if len(b.Args) == 0 {
		return b, fmt.Errorf("%s has no Makefile, go.mod, Cargo.toml, or package.json with a script build: say how it is built with --build CMD", dir)
	}
	if _, err := exec.LookPath(b.Args[0]); err != nil {
		return b, fmt.Errorf("%s is built with %s, which is not installed: install it, or say with --build CMD how else it is built", dir, b.Args[0])
	}
	return b, nil
}

func shell(command string) []string {
	if runtime.GOOS == "windows" {
		return []string{"cmd", "/C", command}
	}
	return []string{"sh", "-c", command}
}

// there is the text of a file in the folder; "" where it is not.
func (b *Builder) there(name string) (string, error) {
	f, err := os.Open(filepath.Join(b.Dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look how to build: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig))
	if err != nil {
		return "", fmt.Errorf("look how to build: read %s: %w", name, err)
	}
	return string(text), nil
}

var targets = regexp.MustCompile(`(?m)^(wasm|build)[ \t]*:([^=]|$)`)

// target is make, if there is a target that is meant.
func target(b *Builder, _ string) (bool, error) {
	text, err := b.there("Makefile")
	if err != nil {
		return false, err
	}
	found := map[string]bool{}
	for _, m := range targets.FindAllStringSubmatch(text, -1) {
		found[m[1]] = true
	}
	for _, t := range []string{"wasm", "build"} {
		if found[t] {
			b.Args = []string{"make", t}
			return true, nil
		}
	}
	return false, nil
}

func golang(b *Builder, out string) (bool, error) {
	text, err := b.there("go.mod")
	if err != nil {
		return false, err
	}
	files, err := filepath.Glob(filepath.Join(b.Dir, "*.go"))
	if err != nil || text == "" && len(files) == 0 {
		return false, err
	}
	if b.File == "" {
		b.File = filepath.Join(out, filepath.Base(b.Dir)+".wasm")
	}
	b.Args, b.Env = []string{"go", "build", "-o", b.File, "."}, []string{"GOOS=wasip1", "GOARCH=wasm"}
	return true, nil
}

// preview2 tells of a Rust program that is a component.
var preview2 = regexp.MustCompile(`wasm32-wasip2|(?m)^(wit-bindgen|wstd|wasip2)\b`)

func cargo(b *Builder, _ string) (bool, error) {
	text, err := b.there("Cargo.toml")
	if err != nil || text == "" {
		return false, err
	}
	config, err := b.there(filepath.Join(".cargo", "config.toml"))
	if err != nil {
		return false, err
	}
	platform := "wasm32-wasip1"
	if preview2.MatchString(text) || preview2.MatchString(config) {
		platform = "wasm32-wasip2"
	}
	b.Args = []string{"cargo", "build", "--release", "--target", platform}
	return true, nil
}

func npm(b *Builder, _ string) (bool, error) {
	text, err := b.there("package.json")
	if err != nil || text == "" {
		return false, err
	}
	var p struct {
		Scripts map[string]string `json:"scripts"`
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return false, fmt.Errorf("look how to build: package.json: %w", err)
	}
	if p.Scripts["build"] == "" {
		return false, nil
	}
	b.Args = []string{"npm", "run", "build"}
	return true, nil
}

func plainMake(b *Builder, _ string) (bool, error) {
	text, err := b.there("Makefile")
	if err != nil || text == "" {
		return false, err
	}
	b.Args = []string{"make"}
	return true, nil
}
