package entra

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/weir-project/weir/providers/directory/cache"
)

// cacheOf is a place to keep a directory in for one test.
type cacheOf struct {
	mu      sync.Mutex
	objects map[string][]byte
	n       int
}

func (c *cacheOf) List(context.Context) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for name := range c.objects {
		names = append(names, name)
	}
	return names, nil
}

func (c *cacheOf) Get(_ context.Context, name string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if body, ok := c.objects[name]; ok {
		return body, nil
	}
	return nil, errors.New("not there")
}

func (c *cacheOf) Put(_ context.Context, name string, body []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.objects == nil {
		c.objects = map[string][]byte{}
	}
	c.objects[name] = body
	return nil
}

func (c *cacheOf) Remove(_ context.Context, name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.objects, name)
	return nil
}

func (c *cacheOf) cache(client *Client) *cache.Cache {
	return &cache.Cache{Shelf: c, Identity: client.Identity("test"), Nonce: func() string { c.n++; return fmt.Sprintf("%016x", c.n) }}
}

func (c *cacheOf) keep(t testing.TB, client *Client, d *cache.Directory) {
	t.Helper()
	k := c.cache(client)
	d.Identity = k.Identity
	if err := k.Begin(t.Context(), d).Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (c *cacheOf) load(t testing.TB, client *Client) *cache.Directory {
	t.Helper()
	d, err := c.cache(client).Load(t.Context())
	if err != nil || d == nil {
		t.Fatal(err)
	}
	return d
}
