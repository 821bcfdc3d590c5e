package nodetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// Casd plays the part of casd: a store in memory, as commands see it, with others that
// have what it has not.
type Casd struct {
	T    testing.TB
	Home paths.Home
	// Copies, when set, says who has a blob; else this node does, or nobody.
	Copies func(api.Digest) api.BlobCopies
	// Spoil, when set, says how many bytes of an answer are given before it breaks off;
	// below 0: all. It is asked once for each answer.
	Spoil func(api.Digest) int
	// Fetching, when set, is called while a blob is brought.
	Fetching func(api.Digest)
	// Refuse, when set, answers a put in its place.
	Refuse func(http.ResponseWriter) bool
	// Files, when set, is asked about each file that comes with a request, and says how it
	// ends after so many bytes of it: with a status of HTTP, or, with 0, broken off. Below 0
	// bytes it is done whole. When it is not set as it begins to serve, casd knows of no files.
	Files func() (bytes, status int)
	// Verify is what a check of the store tells.
	Verify []api.VerifyProgress
	Status api.StorageStatus

	mu        sync.Mutex
	here, far map[api.Digest][]byte
	records   map[api.Digest]api.BlobRecord // what else there is to say of a blob
	pins      map[api.Digest]bool
	transfers []api.Transfer
	asked     map[string]int // how often, by method and path
}

// Serve answers the command line.
func (c *Casd) Serve() {
	c.here, c.far = map[api.Digest][]byte{}, map[api.Digest][]byte{}
	c.records, c.pins, c.asked = map[api.Digest]api.BlobRecord{}, map[api.Digest]bool{}, map[string]int{}
	mux := http.NewServeMux()
	for route, answer := range map[string]func(http.ResponseWriter, *http.Request, api.Digest){
		api.RouteBlobPut: c.put, api.RouteBlobGet: c.get, api.RouteBlobFetch: c.fetch, api.RouteBlobCopies: c.copies,
		api.RouteBlobs: c.list, api.RoutePin: c.pin, api.RouteUnpin: c.unpin, api.RouteCollect: c.collect, api.RouteVerify: c.verify,
		api.RouteStorage: func(w http.ResponseWriter, _ *http.Request, _ api.Digest) {
			s := c.Status
			s.Stored += c.size()
			local.WriteJSON(w, http.StatusOK, s)
		},
		api.RouteTransfers: func(w http.ResponseWriter, _ *http.Request, _ api.Digest) {
			c.mu.Lock()
			defer c.mu.Unlock()
			local.WriteJSON(w, http.StatusOK, api.TransfersReply{Transfers: append([]api.Transfer{}, c.transfers...)})
		},
	} {
		mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
			var d api.Digest
			if s := r.PathValue("sha256"); s != "" {
				var err error
				if d, err = api.ParseDigest(s); err != nil {
					local.WriteError(w, http.StatusBadRequest, err)
					return
				}
			}
			c.mu.Lock()
			c.asked[r.Method+" "+r.URL.Path]++
			c.mu.Unlock()
			answer(w, r, d)
		})
	}
	mux.HandleFunc(api.RouteImport, c.importFile)
	mux.HandleFunc(api.RouteExport, c.exportFile)
	if c.Files == nil {
		HTTP(c.T, c.Home, api.Casd, mux)
		return
	}
	serve(c.T, c.Home, api.Casd, mux, local.ReceiveFiles)
}

// Add stores bytes on this node, with what else there is to say of them.
func (c *Casd) Add(b []byte, r api.BlobRecord) api.Digest {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := api.Sum(b)
	c.here[d], c.records[d] = b, r
	return d
}

// AddFar stores bytes on another member.
func (c *Casd) AddFar(b []byte) api.Digest {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := api.Sum(b)
	c.far[d] = b
	return d
}

// Drop takes a blob off this node.
func (c *Casd) Drop(d api.Digest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.here, d)
}

// Has reports whether a blob is on this node.
func (c *Casd) Has(d api.Digest) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.here[d]
	return ok
}

// SetTransfers says what is on its way.
func (c *Casd) SetTransfers(all ...api.Transfer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.transfers = all
}

// Asked is how often something was asked: "GET /blobs".
func (c *Casd) Asked(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked[what]
}

func (c *Casd) size() (n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range c.here {
		n += int64(len(b))
	}
	return n
}

func (c *Casd) put(w http.ResponseWriter, r *http.Request, _ api.Digest) {
	if c.Refuse != nil && c.Refuse(w) {
		return
	}
	b, err := io.ReadAll(r.Body)
	want := r.URL.Query().Get("sha256")
	if err != nil || want != "" && api.Sum(b).String() != want {
		local.WriteError(w, http.StatusBadRequest, errors.Join(err, errors.New("wrong bytes")))
		return
	}
	c.mu.Lock()
	fresh := len(b)
	if _, ok := c.here[api.Sum(b)]; ok {
		fresh = 0
	}
	c.here[api.Sum(b)] = b
	c.mu.Unlock()
	w.Header().Set(api.HeaderNew, strconv.Itoa(fresh))
	local.WriteJSON(w, http.StatusOK, api.BlobInfo{SHA256: api.Sum(b), Size: int64(len(b))})
}

func (c *Casd) get(w http.ResponseWriter, r *http.Request, d api.Digest) {
	c.mu.Lock()
	b, ok := c.here[d]
	c.mu.Unlock()
	if !ok {
		local.WriteError(w, http.StatusNotFound, errors.New("not here"))
		return
	}
	if c.Spoil != nil && r.Method == http.MethodGet {
		if most := c.Spoil(d); most >= 0 {
			w = &brokenOff{w, most}
		}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}

// brokenOff gives as many bytes as are left, and cuts the connection.
type brokenOff struct {
	http.ResponseWriter
	left int
}

func (b *brokenOff) Write(p []byte) (int, error) {
	n, err := b.ResponseWriter.Write(p[:min(len(p), b.left)])
	if b.left -= n; err == nil && n < len(p) {
		_ = http.NewResponseController(b.ResponseWriter).Flush() // what was given is to arrive
		panic(http.ErrAbortHandler)
	}
	return n, err
}

func (c *Casd) fetch(w http.ResponseWriter, r *http.Request, d api.Digest) {
	if c.Fetching != nil {
		c.Fetching(d)
	}
	c.mu.Lock()
	b, here := c.here[d]
	if far, ok := c.far[d]; ok && !here {
		c.here[d], b, here = far, far, true
	}
	c.mu.Unlock()
	if size := r.URL.Query().Get("size"); !here || size != "" && size != strconv.Itoa(len(b)) {
		local.WriteError(w, http.StatusNotFound, fmt.Errorf("no member has %s", d.Short()))
		return
	}
	local.WriteJSON(w, http.StatusOK, api.BlobInfo{SHA256: d, Size: int64(len(b))})
}

func (c *Casd) copies(w http.ResponseWriter, _ *http.Request, d api.Digest) {
	if c.Copies != nil {
		local.WriteJSON(w, http.StatusOK, c.Copies(d))
		return
	}
	r := api.BlobCopies{BlobInfo: api.BlobInfo{SHA256: d}}
	c.mu.Lock()
	defer c.mu.Unlock()
	r.Size = int64(len(c.here[d]))
	local.WriteJSON(w, http.StatusOK, r)
}

func (c *Casd) list(w http.ResponseWriter, _ *http.Request, _ api.Digest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []api.BlobRecord
	for d, b := range c.here {
		r := c.records[d]
		r.BlobInfo = api.BlobInfo{SHA256: d, Size: int64(len(b))}
		r.Pinned = r.Pinned || c.pins[d]
		if r.Has == 0 {
			r.Has, r.Whole = r.Size, true
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b api.BlobRecord) int { return a.SHA256.Compare(b.SHA256) })
	lines(w, all)
}

// lines answers with values, one a line.
func lines[T any](w io.Writer, all []T) {
	e := json.NewEncoder(w)
	for _, v := range all {
		_ = e.Encode(v) // the caller has gone if this fails
	}
}

func (c *Casd) pin(w http.ResponseWriter, _ *http.Request, d api.Digest) {
	c.mu.Lock()
	_, here := c.here[d]
	if here {
		c.pins[d] = true
	}
	c.mu.Unlock()
	if !here {
		local.WriteError(w, http.StatusNotFound, errors.New("not here"))
		return
	}
	local.WriteJSON(w, http.StatusOK, api.Empty{})
}

func (c *Casd) unpin(w http.ResponseWriter, _ *http.Request, d api.Digest) {
	c.mu.Lock()
	was := c.pins[d]
	delete(c.pins, d)
	c.mu.Unlock()
	if !was {
		local.WriteError(w, http.StatusNotFound, errors.New("not pinned"))
		return
	}
	local.WriteJSON(w, http.StatusOK, api.Empty{})
}

// collect removes what has no pin and no reference, in the order of the digests.
func (c *Casd) collect(w http.ResponseWriter, r *http.Request, _ api.Digest) {
	var q api.CollectRequest
	b, err := api.ReadAll(r.Body, api.MaxMessage)
	if err == nil {
		err = api.Decode(b, api.MaxMessage, &q)
	}
	if err != nil {
		local.WriteError(w, http.StatusBadRequest, err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var reply api.CollectReply
	var all []api.Digest
	for d := range c.here {
		all = append(all, d)
	}
	slices.SortFunc(all, api.Digest.Compare)
	for _, d := range all {
		if c.pins[d] || len(c.records[d].Refs) > 0 || q.Free > 0 && reply.Freed >= q.Free {
			continue
		}
		size := int64(len(c.here[d]))
		reply.Freed, reply.Blobs = reply.Freed+size, append(reply.Blobs, api.BlobInfo{SHA256: d, Size: size})
		if !q.DryRun {
			delete(c.here, d)
		}
	}
	local.WriteJSON(w, http.StatusOK, reply)
}

func (c *Casd) verify(w http.ResponseWriter, _ *http.Request, _ api.Digest) { lines(w, c.Verify) }
