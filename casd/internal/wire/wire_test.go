package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/realm-mesh/realm/api"
)

func TestChunks(t *testing.T) {
	sizes := []int{3, 1, 5}
	good := []byte("\x00\x00\x00\x03abc" + "\xff\xff\xff\xff" + "\x00\x00\x00\x05hello")
	tests := []struct {
		name string
		in   []byte
		want string // what was read, with "-" for a chunk that lacks
		err  error
	}{
		{"good", good, "abc - hello", nil},
		{"bytes after the end", append(bytes.Clone(good), 0), "abc - hello", ErrBroken},
		{"longer chunk", []byte("\x00\x00\x00\x04abcd"), "", ErrBroken},
		{"shorter chunk", []byte("\x00\x00\x00\x02ab"), "", ErrBroken},
		{"largest length", []byte("\xff\xff\xff\xfe"), "", ErrBroken},
		{"nothing", nil, "", io.ErrUnexpectedEOF},
		{"cut in a head", good[:9], "abc", io.ErrUnexpectedEOF},
		{"cut in a chunk", good[:6], "", io.ErrUnexpectedEOF},
		{"cut between chunks", good[:7], "abc", io.ErrUnexpectedEOF},
	}
	for _, tt := range tests {
		for way, r := range map[string]io.Reader{"at once": bytes.NewReader(tt.in), "byte by byte": iotest.OneByteReader(bytes.NewReader(tt.in))} {
			t.Run(tt.name+"/"+way, func(t *testing.T) {
				got, err := readChunks(r, sizes)
				if got != tt.want || !errors.Is(err, tt.err) {
					t.Errorf("%q, %v; want %q, %v", got, err, tt.want, tt.err)
				}
			})
		}
	}
}

func readChunks(r io.Reader, sizes []int) (string, error) {
	c := NewChunks(r)
	var got []string
	for _, n := range sizes {
		b := make([]byte, n)
		switch err := c.Next(b); {
		case errors.Is(err, ErrNoChunk):
			got = append(got, "-")
		case err != nil:
			return strings.Join(got, " "), err
		default:
			got = append(got, string(b))
		}
	}
	return strings.Join(got, " "), c.End()
}

func TestChunksPassOnTheReadersError(t *testing.T) {
	broken := errors.New("broken")
	if _, err := readChunks(io.MultiReader(strings.NewReader("\x00\x00\x00\x01a"), iotest.ErrReader(broken)), []int{1}); !errors.Is(err, broken) {
		t.Errorf("at the end: %v", err)
	}
	if _, err := readChunks(iotest.ErrReader(broken), []int{1}); !errors.Is(err, broken) || errors.Is(err, ErrBroken) {
		t.Errorf("at the start: %v", err)
	}
}

func TestAppendedChunksAreRead(t *testing.T) {
	b := append(AppendHead(nil, 5), "hello"...)
	b = AppendNoChunk(b)
	got, err := readChunks(bytes.NewReader(b), []int{5, 7})
	if got != "hello -" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

var (
	index = api.Sum([]byte("index"))
	first = api.Have{Index: index, Chunks: 10, Has: []byte{1, 2}, Busy: []int{4}}
)

func TestHaves(t *testing.T) {
	line := func(h api.Have) string {
		b, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		return string(b) + "\n"
	}
	begun := line(first)
	tests := []struct {
		name string
		in   string
		n    int // lines read
		err  error
	}{
		{"whole at once", line(api.Have{Index: index, Chunks: 10, Whole: true}), 1, io.EOF},
		{"whole at once, with bits", line(api.Have{Index: index, Chunks: 10, Has: []byte{255, 3}, Whole: true}), 1, io.EOF},
		{"empty blob", line(api.Have{Index: index, Whole: true}), 1, io.EOF},
		{"all sorts", begun + line(api.Have{Got: []int{9, 0}, Busy: []int{3}, Idle: []int{4}}) + line(api.Have{Whole: true}), 3, io.EOF},
		{"empty line", begun + "{}\n", 2, io.EOF},
		{"nothing", "", 0, io.EOF},
		{"cut in a line", begun + `{"got":[1]}`, 1, io.ErrUnexpectedEOF},
		{"no JSON", "hello\n", 0, ErrBroken},
		{"no line", begun + "\n", 1, ErrBroken},
		{"unknown field", begun + `{"gone":[1]}` + "\n", 1, ErrBroken},
		{"no index", line(api.Have{Chunks: 10, Has: []byte{1, 2}}), 0, ErrBroken},
		{"no bits", line(api.Have{Index: index, Chunks: 10}), 0, ErrBroken},
		{"too few bits", line(api.Have{Index: index, Chunks: 10, Has: []byte{1}}), 0, ErrBroken},
		{"bits past the end", line(api.Have{Index: index, Chunks: 10, Has: []byte{1, 4}}), 0, ErrBroken},
		{"too many chunks", line(api.Have{Index: index, Chunks: api.MaxChunks + 1, Whole: true}), 0, ErrBroken},
		{"chunk past the end", begun + line(api.Have{Got: []int{10}}), 1, ErrBroken},
		{"chunk before the start", begun + line(api.Have{Busy: []int{-1}}), 1, ErrBroken},
		{"more chunks than there are", begun + line(api.Have{Idle: make([]int, 11)}), 1, ErrBroken},
		{"chunk of a first line", line(api.Have{Index: index, Chunks: 3, Has: []byte{1}, Got: []int{3}}), 0, ErrBroken},
		{"second first line", begun + begun, 1, ErrBroken},
		{"line after the last", line(api.Have{Index: index, Chunks: 10, Whole: true}) + "{}\n", 1, ErrBroken},
		{"long line", begun + strings.Repeat(" ", api.MaxHave) + "{}\n", 1, ErrBroken},
		{"line without end", begun + strings.Repeat(" ", 2*api.MaxHave), 1, ErrBroken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readHaves(strings.NewReader(tt.in))
			if len(got) != tt.n || !errors.Is(err, tt.err) {
				t.Errorf("%d lines, %v; want %d, %v", len(got), err, tt.n, tt.err)
			}
		})
	}
}

func readHaves(r io.Reader) (lines []api.Have, err error) {
	h := NewHaves(r)
	for {
		v, err := h.Next()
		if err != nil {
			return lines, err
		}
		lines = append(lines, v)
	}
}

func FuzzChunks(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x03abc"), uint16(3), uint16(0))
	f.Add([]byte("\xff\xff\xff\xff\x00\x00\x00\x01z"), uint16(9), uint16(1))
	f.Add([]byte("\x00\x10\x00\x01"), uint16(8), uint16(8))
	f.Fuzz(func(t *testing.T, in []byte, one, two uint16) {
		c := NewChunks(bytes.NewReader(in))
		var again []byte
		for _, n := range []uint16{one, two} {
			b := make([]byte, n)
			switch err := c.Next(b); {
			case err == nil:
				again = append(AppendHead(again, len(b)), b...)
			case errors.Is(err, ErrNoChunk):
				again = AppendNoChunk(again)
			default:
				return
			}
		}
		if err := c.End(); (err == nil) != bytes.Equal(in, again) {
			t.Errorf("end: %v, after %d of %d bytes", err, len(again), len(in))
		}
	})
}

func FuzzHaves(f *testing.F) {
	for _, lines := range [][]api.Have{
		{{Index: index, Chunks: 10, Whole: true}},
		{first, {Got: []int{3, 4}, Idle: []int{4}}, {Busy: []int{9}}, {Whole: true}},
	} {
		var b []byte
		for _, h := range lines {
			var err error
			if b, err = AppendHave(b, h); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(b)
	}
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		lines, _ := readHaves(bytes.NewReader(in))
		var b []byte
		for i, h := range lines {
			if i == 0 && (h.Index.IsZero() || !h.Whole && len(h.Has) != (h.Chunks+7)/8) {
				t.Errorf("first line: %+v", h)
			}
			if i > 0 && lines[i-1].Whole {
				t.Errorf("line %d after the last", i)
			}
			for _, n := range append(append(h.Got, h.Busy...), h.Idle...) {
				if n < 0 || n >= lines[0].Chunks {
					t.Errorf("chunk %d of %d", n, lines[0].Chunks)
				}
			}
			var err error
			if b, err = AppendHave(b, h); err != nil {
				t.Fatal(err)
			}
		}
		again, err := readHaves(bytes.NewReader(b))
		if !errors.Is(err, io.EOF) || fmt.Sprint(again) != fmt.Sprint(lines) && !reflect.DeepEqual(again, lines) {
			t.Errorf("written and read again: %v, %v; want %v", again, err, lines)
		}
	})
}
