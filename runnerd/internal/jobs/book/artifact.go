package book

import (
	"time"

	"github.com/realm-mesh/realm/api"
)

// Artifact is what the accepted execution of a job has left under that name: of its run
// with that index, where it has several, else of the only one; of a recurring job, of its
// newest instant. The zero blob: there is none.
func (b *Book) Artifact(job api.Name, index int, name string) api.BlobInfo {
	e := b.names[job]
	if e == nil || !e.known {
		return api.BlobInfo{}
	}
	var at time.Time
	if e.Body.Type == api.JobRecurring {
		at = e.latest
	}
	if index >= e.Body.Runs() {
		index = 0
	}
	r := e.runs[api.NewRunKey(at, index)]
	if r == nil || r.view.Accepted == nil {
		return api.BlobInfo{}
	}
	rec, _ := b.Record(*r.view.Accepted)
	for _, a := range rec.Artifacts {
		if a.Name == name {
			return a.Blob
		}
	}
	return api.BlobInfo{}
}
