package api

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestValidateStore(t *testing.T) {
	breaks(t, map[string]func(*Pin){
		"is wrong":      func(p *Pin) { p.SHA256 = Digest{} },
		"is wrong|size": func(p *Pin) { p.Size = -1 },
	})
	breaks(t, map[string]func(*Reference){
		"reference: blob":      func(r *Reference) { r.Blob = Digest{} },
		"reference: blob|size": func(r *Reference) { r.Size = -1 },
		"kind":                 func(r *Reference) { r.Kind = "" },
		"name":                 func(r *Reference) { r.Name = "A" },
	})
	breaks(t, map[string]func(*Have){
		"too many chunks":        func(h *Have) { h.Chunks = MaxChunks + 1 },
		"too many chunks|less":   func(h *Have) { h.Chunks = -1 },
		"too many chunks|bits":   func(h *Have) { h.Has = make([]byte, MaxChunks/8+1) },
		"out of range|got":       func(h *Have) { h.Got = []int{0, MaxChunks} },
		"out of range|busy":      func(h *Have) { h.Busy = []int{-1} },
		"out of range|idle":      func(h *Have) { h.Idle = []int{MaxChunks} },
		"out of range|how often": func(h *Have) { h.Got = make([]int, MaxChunks+1) },
	})
	breaks(t, map[string]func(*ChunksRequest){
		"ask for 1 to 256":    func(r *ChunksRequest) { r.Chunks = nil },
		"ask for 1 to|many":   func(r *ChunksRequest) { r.Chunks = slices.Repeat(r.Chunks, MaxChunksRequest+1) },
		"a digest is missing": func(r *ChunksRequest) { r.Blob = Digest{} },
		"a digest is|chunk":   func(r *ChunksRequest) { r.Chunks = append(r.Chunks, Digest{}) },
	})
	breaks(t, map[string]func(*BlobRecord){
		"is wrong":            func(b *BlobRecord) { b.SHA256 = Digest{} },
		"too many references": func(b *BlobRecord) { b.Refs = slices.Repeat(b.Refs, MaxRecordRefs+1) },
	})
	breaks(t, map[string]func(*BlobCopies){
		"is wrong":                func(c *BlobCopies) { c.SHA256 = Digest{} },
		"copies: parse|keepers":   func(c *BlobCopies) { c.Keepers[0] = "x" },
		"copies: parse|have":      func(c *BlobCopies) { c.Have[0] = "" },
		"copies: parse|away":      func(c *BlobCopies) { c.Away[0] = "me" },
		"copies: parse|one of it": func(c *BlobCopies) { c.Have = append(c.Have, "me") },
	})
	breaks(t, map[string]func(*CollectRequest){"number of bytes": func(r *CollectRequest) { r.Free = -1 }})
	breaks(t, map[string]func(*CollectReply){"too many blobs": func(r *CollectReply) { r.Blobs = slices.Repeat(r.Blobs, MaxCollected+1) }})
	breaks(t, map[string]func(*VerifyProgress){
		"out of range":       func(p *VerifyProgress) { p.Done = -1 },
		"out of range|total": func(p *VerifyProgress) { p.Total = -1 },
	})
	breaks(t, map[string]func(*ImportRequest){
		"want a size":      func(r *ImportRequest) { r.Size = -1 },
		"want a size|much": func(r *ImportRequest) { r.Size = MaxBlob + 1 },
	})
	breaks(t, map[string]func(*ExportRequest){
		"the blob is missing": func(r *ExportRequest) { r.Blob = Digest{} },
		"at is out of range":  func(r *ExportRequest) { r.At = -1 },
		"at is out of range|": func(r *ExportRequest) { r.At = math.MaxInt64 - MaxBlob + 1 },
	})
	breaks(t, map[string]func(*FileProgress){
		"out of range":     func(p *FileProgress) { p.Done = -1 },
		"out of range|new": func(p *FileProgress) { p.New = -1 },
	})
}

// The first line of a have-stream fits its cap for the largest blob.
func TestLargestHaveFits(t *testing.T) {
	b, err := json.Marshal(&Have{Index: someDigest, Chunks: MaxChunks, Has: make([]byte, MaxChunks/8)})
	if err != nil {
		t.Fatal(err)
	}
	if err := Decode(b, MaxHave, &Have{}); err != nil {
		t.Error(err)
	}
}

// The name of a pin is one, tells blobs apart, and says what it is about.
func TestPinName(t *testing.T) {
	n := PinName(someDigest)
	if _, err := ParseName(string(n)); err != nil {
		t.Error(err)
	}
	if !strings.HasPrefix(someDigest.String(), strings.TrimPrefix(string(n), "sha256-")) || n == PinName(Sum(nil)) {
		t.Errorf("%s", n)
	}
}

func TestValidatePinIntent(t *testing.T) {
	var pin Intent
	if err := json.Unmarshal(message[Intent](t), &pin); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(&Pin{BlobInfo{SHA256: someDigest, Size: 5}})
	if err != nil {
		t.Fatal(err)
	}
	pin.Ref, pin.Target, pin.Body = Ref{KindPin, PinName(someDigest)}, Target{}, body
	if err := pin.Validate(); err != nil {
		t.Errorf("a pin: %v", err)
	}
	for text, change := range map[string]func(*Intent){
		"it has no target": func(i *Intent) { i.Target.Tags = []string{"edge"} },
		"blob: sha256":     func(i *Intent) { i.Body = []byte(`{}`) },
		"EOF":              func(i *Intent) { i.Body = nil },
		"does not expire":  func(i *Intent) { i.Expires = i.Issued },
	} {
		bad := pin
		change(&bad)
		if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", text, err)
		}
	}
	pin.Tombstone, pin.Body = true, nil
	if err := pin.Validate(); err != nil {
		t.Errorf("a pin taken back: %v", err)
	}
}
