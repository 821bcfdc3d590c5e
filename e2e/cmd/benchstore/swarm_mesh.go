package main

import (
	"context"
	"encoding/json"

	"github.com/realm-mesh/realm/api"
)

// meshSwarm is ours: the members of a realm, without the command line.
type meshSwarm struct{ mesh }

func (s meshSwarm) offer(ctx context.Context, file string) (string, error) {
	blob, err := s.mesh[0].putFile(ctx, file)
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(blob)
	return string(b), err
}

func (s meshSwarm) take(ctx context.Context, i int, id string) error {
	var blob api.BlobInfo
	if err := json.Unmarshal([]byte(id), &blob); err != nil {
		return err
	}
	return s.mesh[i].fetch(ctx, blob)
}

// sent counts all that casd writes: while others fetch, to them.
func (s meshSwarm) sent(context.Context) (int64, error) {
	return written(s.mesh[0].daemons[api.Casd])
}

func (s meshSwarm) pids() (all []int) {
	for _, m := range s.mesh {
		for _, pid := range m.daemons {
			all = append(all, pid)
		}
	}
	return all
}
