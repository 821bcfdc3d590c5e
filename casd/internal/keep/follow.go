package keep

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

const (
	maxReference = 4 << 10 // bytes of a line
	// followFirst and followMost bound the pause after a question that failed, or was
	// answered without waiting for news.
	followFirst = 250 * time.Millisecond
	followMost  = 5 * time.Second
	// followShare is the largest share of the time that goes into reading lists, one in
	// so many, however often they change.
	followShare = 20
)

// follow has meshd tell what the realm needs, whenever that changes, until ctx ends.
func (k *Keeper) follow(ctx context.Context) error {
	pause, told := followFirst, ""
	for ctx.Err() == nil {
		began := time.Now()
		cost, err := k.listen(ctx)
		switch {
		case err == nil && cost > 0: // there was news
			pause = max(followFirst/5, followShare*cost)
		case err == nil && time.Since(began) > k.cfg.Wait/2: // there was none for a while
			pause = 0
		default:
			pause = min(max(2*pause, followFirst), followMost)
		}
		if err != nil && ctx.Err() == nil && told != err.Error() {
			k.parts.Log.Info("what the realm needs is not known anew yet", telemetry.Error(err))
		}
		if told = ""; err != nil {
			told = err.Error()
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil
}

// listen asks once. cost is how long the answer has taken to read; 0: it is the same.
func (k *Keeper) listen(ctx context.Context) (cost time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, k.cfg.Wait+time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, local.URL(api.Meshd, "/references"), nil)
	if err != nil {
		return 0, err
	}
	k.mu.Lock()
	tag := k.needs.tag
	k.mu.Unlock()
	if tag != "" {
		req.Header.Set("If-None-Match", tag)
		req.Header.Set("Prefer", "wait="+strconv.Itoa(int(k.cfg.Wait/time.Second)))
	}
	resp, err := k.parts.Client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotModified && tag != "" {
		return 0, nil
	}
	if err := local.CheckStatus(resp); err != nil {
		return 0, err
	}
	began := time.Now()
	list, err := readReferences(resp.Body)
	if err != nil {
		return 0, fmt.Errorf("read references: %w", err)
	}
	n := newNeeds(resp.Header.Get("ETag"), list)
	if k.take(n) {
		if err := k.writeNeeds(n); err != nil {
			k.parts.Log.Warn("what the realm needs is not remembered", telemetry.Error(err))
		}
	}
	if n.tag == "" { // it does not wait
		return 0, nil
	}
	return max(time.Since(began), 1), nil
}

// take makes n what the realm needs, and reports whether it was something else before.
func (k *Keeper) take(n *needs) (news bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	news = !k.known || !sameList(k.needs.list, n.list)
	k.needs, k.known = n, true
	if news {
		k.runs.resolve(n)
		k.stirred.needs = true
		notify(k.wake)
	}
	return news
}

func sameList(a, b []api.Reference) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// readReferences reads a whole list. What a newer meshd says beside it is passed over.
func readReferences(r io.Reader) (out []api.Reference, err error) {
	words := map[string]string{}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, maxReference), maxReference)
	for lines.Scan() {
		var ref api.Reference
		if err := api.DecodeFact(lines.Bytes(), maxReference, &ref); err != nil {
			return nil, err
		}
		if len(out) == api.MaxReferences {
			return nil, errors.New("there are too many")
		}
		ref.Kind, ref.Name = api.Kind(once(words, string(ref.Kind))), api.Name(once(words, string(ref.Name)))
		out = append(out, ref)
	}
	return out, lines.Err()
}

// once is s, the same string for equal ones: a name has several versions.
func once(words map[string]string, s string) string {
	if w, ok := words[s]; ok {
		return w
	}
	words[s] = s
	return s
}
