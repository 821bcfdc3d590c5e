package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// target is a request, as its bytes, and where it goes.
type target struct {
	name, addr, request string
}

func get(name, addr, path string) target {
	return target{name, addr, "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n"}
}

func post(name, addr, path, json string) target {
	return target{name, addr, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(json), json)}
}

// result is what came of a load.
type result struct {
	rate float64 // answers a second
	took []time.Duration
}

// percentile of the times of answers; p is below 1.
func (r result) percentile(p float64) time.Duration {
	if len(r.took) == 0 {
		return 0
	}
	return r.took[int(p*float64(len(r.took)))]
}

// load has so many clients ask t for a while, each one request at a time on a connection of its own:
// as fast as it answers, or, with a rate above 0, at that many requests a second in all.
// There, times count from when a request was due (without "coordinated omission": who
// waits for a late answer sends the next one late, and sees too little of it).
func load(ctx context.Context, t target, clients int, d time.Duration, rate float64) (result, error) {
	conns := make([]net.Conn, clients)
	for i := range conns {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.addr)
		if err != nil {
			return result{}, err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(d + 30*time.Second))
		conns[i] = c
	}
	var (
		mu     sync.Mutex
		took   []time.Duration
		failed error
		next   atomic.Int64
		asking sync.WaitGroup
	)
	begun := time.Now()
	end := begun.Add(d)
	for _, c := range conns {
		asking.Go(func() {
			own, err := ask(c, t, func() (due time.Time) {
				if rate == 0 {
					return time.Now()
				}
				return begun.Add(time.Duration(float64(next.Add(1)) / rate * float64(time.Second)))
			}, end)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, own...)
			failed = errors.Join(failed, err)
		})
	}
	asking.Wait()
	slices.Sort(took)
	return result{float64(len(took)) / time.Since(begun).Seconds(), took}, failed
}

// ask sends requests when they are due, until end.
func ask(c net.Conn, t target, next func() time.Time, end time.Time) (took []time.Duration, err error) {
	r := bufio.NewReader(c)
	request := []byte(t.request)
	for {
		due := next()
		if !due.Before(end) {
			return took, nil
		}
		time.Sleep(time.Until(due))
		if _, err := c.Write(request); err != nil {
			return took, err
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return took, err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			return took, err
		}
		if resp.StatusCode != http.StatusOK {
			return took, fmt.Errorf("%s answers %s", t.name, resp.Status)
		}
		took = append(took, time.Since(due))
	}
}
