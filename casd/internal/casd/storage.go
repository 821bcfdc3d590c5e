package casd

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/collect"
	"github.com/realm-mesh/realm/casd/internal/scrub"
	"github.com/realm-mesh/realm/casd/internal/store"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// storage answers what people ask about the store as a whole.
type storage struct {
	*endpoints
	collector *collect.Collector
	scrubber  *scrub.Scrubber
	needs     needs
}

// needs is what is known of the realm's needs.
type needs interface {
	collect.References
	// Describe fills in who needs a blob, whether this node keeps it, and how many
	// members have it.
	Describe(r *api.BlobRecord)
	// Vouch says in the header of an answer about a blob that is here, whole, whether
	// this node keeps it.
	Vouch(h http.Header, blob api.Digest)
}

func (s *storage) register(mux *http.ServeMux) {
	mux.HandleFunc(api.RouteBlobs, s.list)
	mux.HandleFunc(api.RouteStorage, s.status)
	mux.HandleFunc(api.RouteCollect, s.collect)
	mux.HandleFunc(api.RouteVerify, s.verify)
	mux.HandleFunc(api.RoutePin, s.pin)
	mux.HandleFunc(api.RouteUnpin, s.unpin)
}

// list writes the blobs as they are read from the disk: there may be very many.
func (s *storage) list(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := bufio.NewWriterSize(&idleWriter{w, s.idle}, 64<<10)
	lines := json.NewEncoder(out)
	err := s.store.Records(func(rec store.Record) error {
		line := api.BlobRecord{BlobInfo: rec.BlobInfo, Has: rec.Has, Whole: rec.Whole, Damaged: rec.Damaged, Added: rec.Added.UTC(), Used: rec.Used.UTC(),
			Pinned: s.collector.Pinned(rec.SHA256)}
		s.needs.Describe(&line)
		return lines.Encode(line)
	})
	if err != nil && r.Context().Err() == nil {
		s.log.Error("list blobs", telemetry.Error(err))
	}
	if errors.Join(err, out.Flush()) != nil {
		panic(http.ErrAbortHandler) // a list cut short must not look like one
	}
}

func (s *storage) status(w http.ResponseWriter, r *http.Request) {
	st, err := s.collector.Status(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	st.ScrubbedAt = s.scrubber.Stats().Completed.UTC()
	local.WriteJSON(w, http.StatusOK, st)
}

// collect takes a request without a body as one that asks for all.
func (s *storage) collect(w http.ResponseWriter, r *http.Request) {
	body, err := api.ReadAll(newIdleReader(w, r, s.idle), api.MaxMessage)
	var req api.CollectRequest
	if err == nil && len(body) > 0 {
		if err = api.Decode(body, api.MaxMessage, &req); err != nil {
			err = fmt.Errorf("%w: %w", errRequest, err)
		}
	}
	var reply api.CollectReply
	if err == nil {
		reply, err = s.collector.Collect(r.Context(), req)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	local.WriteJSON(w, http.StatusOK, reply)
}

// verify writes how it goes until it ends, or the caller does.
func (s *storage) verify(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	ctl := http.NewResponseController(w)
	lines := json.NewEncoder(&idleWriter{w, s.idle})
	err := s.scrubber.Verify(r.Context(), func(p api.VerifyProgress) error {
		return errors.Join(lines.Encode(p), ctl.Flush())
	})
	if err != nil && r.Context().Err() == nil {
		s.log.Error("verify the store", telemetry.Error(err))
		_ = lines.Encode(api.VerifyProgress{End: true, Error: err.Error()}) // fails where err is that nobody listens
	}
}

func (s *storage) pin(w http.ResponseWriter, r *http.Request) {
	s.change(w, r, func(d api.Digest) error { return advise(s.collector.Pin(d), d) })
}

func (s *storage) unpin(w http.ResponseWriter, r *http.Request) { s.change(w, r, s.collector.Unpin) }

func (s *storage) change(w http.ResponseWriter, r *http.Request, do func(api.Digest) error) {
	d, err := pathDigest(r)
	if err == nil {
		err = do(d)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	local.WriteJSON(w, http.StatusOK, api.Empty{})
}
