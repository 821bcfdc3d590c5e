package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// client is one of those that ask, with a connection of its own.
type client struct {
	addr string
	conn net.Conn // nil: it has none
	r    *bufio.Reader
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
	}
	c.conn = nil
}

func (c *client) dial(ctx context.Context) (err error) {
	if c.conn != nil {
		return nil
	}
	if c.conn, err = new(net.Dialer).DialContext(ctx, "tcp", c.addr); err == nil {
		c.r = bufio.NewReaderSize(c.conn, 64<<10)
	}
	return err
}

// ask asks, and reads the answer.
func (c *client) ask(ctx context.Context, a ask) error {
	if err := c.dial(ctx); err != nil {
		return err
	}
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench\r\n", a.method, a.path)
	if a.sends > 0 {
		head += fmt.Sprintf("Content-Length: %d\r\n", a.sends)
	}
	sent := make(chan error, 1)
	go func() {
		_, err := (&net.Buffers{[]byte(head + "\r\n"), bytes.Repeat([]byte{'x'}, a.sends)}).WriteTo(c.conn)
		sent <- err
	}()
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if err == nil && (resp.StatusCode != http.StatusOK || n < int64(a.receives)) {
		err = fmt.Errorf("%s %s: status %d, %d bytes", a.method, a.path, resp.StatusCode, n)
	}
	err = errors.Join(err, <-sent)
	if resp.Close {
		c.close()
	}
	return err
}
