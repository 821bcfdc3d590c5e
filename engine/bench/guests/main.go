// Command guests is the workloads in Go: ordinary code of the standard library, built
// with stock Go as a reactor of WASI 0.1. Each export does its work n times and returns
// something of the result.
package main

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strings"
)

func main() {}

// digest hashes 64 KiB.
//
//go:wasmexport go_sha256
func digest(n int32) int32 {
	buf := make([]byte, 64<<10)
	for range n {
		sum := sha256.Sum256(buf)
		copy(buf, sum[:])
	}
	return int32(buf[0])
}

type record struct {
	ID    int               `json:"id"`
	Name  string            `json:"name"`
	Tags  []string          `json:"tags"`
	Attrs map[string]string `json:"attrs"`
}

// roundTrip writes and reads JSON.
//
//go:wasmexport go_json
func roundTrip(n int32) int32 {
	total := 0
	for i := range int(n) {
		in := record{i, fmt.Sprint("record ", i), []string{"a", "b", "c"}, map[string]string{"x": "1", "y": "2"}}
		b, err := json.Marshal(in)
		if err != nil {
			panic(err)
		}
		var out record
		if err := json.Unmarshal(b, &out); err != nil {
			panic(err)
		}
		total += len(out.Name)
	}
	return int32(total)
}

// order sorts by interface, and counts words in a map.
//
//go:wasmexport go_sort
func order(n int32) int32 {
	counts := map[string]int{}
	for i := range int(n) {
		counts[fmt.Sprint("word", i*7919%4096)]++
	}
	words := make([]string, 0, len(counts))
	for w := range counts {
		words = append(words, w)
	}
	sort.Strings(words)
	return int32(len(words))
}

type tree struct{ left, right *tree }

func grow(depth int) *tree {
	if depth == 0 {
		return &tree{}
	}
	return &tree{grow(depth - 1), grow(depth - 1)}
}

func (t *tree) count() int32 {
	if t.left == nil {
		return 1
	}
	return 1 + t.left.count() + t.right.count()
}

// trees allocates, which has the collector run.
//
//go:wasmexport go_trees
func trees(n int32) (total int32) {
	for range n {
		total += grow(12).count()
	}
	return total
}

// text matches and packs.
//
//go:wasmexport go_text
func text(n int32) int32 {
	doc := strings.Repeat("2026-11-22 node-7 GET /hello 200 17ms; ", 100)
	line := regexp.MustCompile(`(\d+)-(\d+)-(\d+) node-(\d) (GET|PUT) (\S+) (\d{3})`)
	found := 0
	for range n {
		found += len(line.FindAllStringSubmatchIndex(doc, -1))
		var packed bytes.Buffer
		w, err := flate.NewWriter(&packed, 6)
		if err != nil {
			panic(err)
		}
		if _, err := io.WriteString(w, doc); err != nil {
			panic(err)
		}
		if err := w.Close(); err != nil {
			panic(err)
		}
		found += packed.Len()
	}
	return int32(found)
}
