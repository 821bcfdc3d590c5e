package nodetest

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

func (c *Casd) importFile(w http.ResponseWriter, r *http.Request) {
	var req api.ImportRequest
	file, ok := c.file(w, r, &req)
	if !ok {
		return
	}
	defer file.Close()
	b := make([]byte, req.Size)
	if _, err := file.ReadAt(b, 0); err != nil {
		local.WriteError(w, http.StatusPreconditionFailed, err)
		return
	}
	p := api.FileProgress{Done: req.Size, End: true, New: req.Size}
	if !c.ends(w, &p) {
		return
	}
	p.Blob = api.BlobInfo{SHA256: c.Add(b, api.BlobRecord{}), Size: req.Size}
	_ = json.NewEncoder(w).Encode(p) // the caller has gone if this fails
}

func (c *Casd) exportFile(w http.ResponseWriter, r *http.Request) {
	var req api.ExportRequest
	file, ok := c.file(w, r, &req)
	if !ok {
		return
	}
	defer file.Close()
	c.mu.Lock()
	b, here := c.here[req.Blob]
	c.mu.Unlock()
	if !here {
		local.WriteError(w, http.StatusNotFound, errors.New("not here"))
		return
	}
	p := api.FileProgress{Done: int64(len(b)), End: true}
	whole := c.ends(w, &p)
	if _, err := file.WriteAt(b[:p.Done], req.At); err != nil {
		c.T.Error(err)
	}
	if whole {
		_ = json.NewEncoder(w).Encode(p) // the caller has gone if this fails
	}
}

// file takes the file that came with a request; not ok: it is answered.
func (c *Casd) file(w http.ResponseWriter, r *http.Request, req api.Validator) (f *os.File, ok bool) {
	c.mu.Lock()
	c.asked[r.Method+" "+r.URL.Path]++
	c.mu.Unlock()
	if c.Files == nil {
		http.NotFound(w, r)
		return nil, false
	}
	b, err := api.ReadAll(r.Body, api.MaxMessage)
	if err == nil {
		err = api.Decode(b, api.MaxMessage, req)
	}
	if f = local.File(r); err != nil || f == nil {
		local.WriteError(w, http.StatusBadRequest, errors.Join(err, errors.New("no file")))
		return nil, false
	}
	return f, true
}

// ends asks Files how p is to end, and tells so where that is before its time.
func (c *Casd) ends(w http.ResponseWriter, p *api.FileProgress) (whole bool) {
	n, status := c.Files()
	if n < 0 {
		return true
	}
	*p = api.FileProgress{Done: int64(n)}
	if status > 0 {
		p.End, p.Status, p.Error = true, status, http.StatusText(status)
	}
	_ = json.NewEncoder(w).Encode(*p) // the caller has gone if this fails
	return false
}
