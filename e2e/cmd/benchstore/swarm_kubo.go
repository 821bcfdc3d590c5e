package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/realm-mesh/realm/e2e/internal/kubo"
)

// kuboSwarm is nodes of IPFS, each connected to each other one.
type kuboSwarm struct{ nodes []*kubo.Node }

func (b *bench) newKuboSwarm(ctx context.Context, private bool) (*kuboSwarm, error) {
	s := &kuboSwarm{}
	var key string
	if private {
		key = kubo.NewKey()
	}
	for i := range b.nodes {
		n, err := kubo.Start(ctx, b.ipfs, filepath.Join(b.dir, fmt.Sprintf("kubo-%t-%d", private, i+1)), key)
		if err != nil {
			return s, err
		}
		for _, other := range s.nodes {
			if err := n.Connect(ctx, other); err != nil {
				return s, errors.Join(err, n.Stop())
			}
		}
		s.nodes = append(s.nodes, n)
	}
	return s, nil
}

func (s *kuboSwarm) offer(ctx context.Context, file string) (string, error) {
	return s.nodes[0].Add(ctx, file)
}

func (s *kuboSwarm) take(ctx context.Context, i int, id string) error {
	return s.nodes[i].Pin(ctx, id)
}

func (s *kuboSwarm) sent(ctx context.Context) (int64, error) { return s.nodes[0].Sent(ctx) }

func (s *kuboSwarm) pids() (all []int) {
	for _, n := range s.nodes {
		all = append(all, n.PID())
	}
	return all
}

func (s *kuboSwarm) stop() error {
	var errs []error
	for _, n := range s.nodes {
		errs = append(errs, n.Stop())
	}
	return errors.Join(errs...)
}
