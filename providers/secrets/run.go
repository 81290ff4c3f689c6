package secrets

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/weir-project/weir/providers/resource"
)

// maxFile bounds a secret read from a file.
const maxFile = 64 << 10

// Run is the secrets of one run. Safe for concurrent use.
type Run struct {
	// Env looks up environment variables; nil means none are set.
	Env func(string) (string, bool)
	// Seen is told every value that is given out, for redaction; nil tells nobody.
	Seen func(value string)

	mu     sync.Mutex
	values map[string]string            // URL, or issuer and version → value
	issued map[string]map[string]string // address → attribute → version
}

var _ resource.Secrets = (*Run)(nil)

// Resolve implements resource.Secrets.
func (r *Run) Resolve(_ context.Context, ref *resource.SecretRef) (string, error) {
	if ref == nil {
		return "", fmt.Errorf("no secret is given")
	}
	if ref.URL == "" {
		r.mu.Lock()
		value, ok := r.values[ref.Issuer+"\x00"+ref.Version]
		r.mu.Unlock()
		if !ok {
			return "", fmt.Errorf("%s is known only in the run that issued it; apply again, and a new one is issued", ref)
		}
		return value, nil
	}
	r.mu.Lock()
	value, ok := r.values[ref.URL]
	r.mu.Unlock()
	if ok {
		return value, nil
	}
	value, err := r.fetch(ref.URL)
	if err != nil {
		return "", err
	}
	if value == "" {
		return "", fmt.Errorf("%s is empty", ref)
	}
	r.keep(ref.URL, value)
	return value, nil
}

func (r *Run) fetch(raw string) (string, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return "", fmt.Errorf("secret(%q) is not a reference; write env://NAME or file:///PATH", raw)
	}
	switch scheme {
	case "env":
		if r.Env != nil {
			if value, ok := r.Env(rest); ok {
				return value, nil
			}
		}
		return "", fmt.Errorf("environment variable %s is not set", rest)
	case "file":
		u, err := url.Parse(raw)
		if err != nil || u.Host != "" {
			return "", fmt.Errorf("secret(%q): write file:///absolute/path", raw)
		}
		f, err := os.Open(u.Path)
		if err != nil {
			return "", fmt.Errorf("secret(%q): %w", raw, err)
		}
		defer func() { _ = f.Close() }()
		info, err := f.Stat()
		if err != nil || !info.Mode().IsRegular() {
			return "", fmt.Errorf("secret(%q): not a regular file", raw)
		}
		data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
		if err != nil || len(data) > maxFile {
			return "", fmt.Errorf("secret(%q): cannot be read, or is larger than %d KiB", raw, maxFile>>10)
		}
		return strings.TrimRight(string(data), "\r\n"), nil
	}
	return "", fmt.Errorf("secret(%q): this version of Weir reads env:// and file:// references", raw)
}

// Issue implements resource.Secrets.
func (r *Run) Issue(issuer, version, value string) {
	address, attribute, _ := strings.Cut(issuer, "#")
	r.keep(issuer+"\x00"+version, value)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.issued == nil {
		r.issued = map[string]map[string]string{}
	}
	if r.issued[address] == nil {
		r.issued[address] = map[string]string{}
	}
	r.issued[address][attribute] = version
}

// Issued returns the versions of the secrets that the object at address issued in this run, by attribute.
func (r *Run) Issued(address string) map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]string{}
	for attribute, version := range r.issued[address] {
		out[attribute] = version
	}
	return out
}

func (r *Run) keep(key, value string) {
	r.mu.Lock()
	if r.values == nil {
		r.values = map[string]string{}
	}
	r.values[key] = value
	r.mu.Unlock()
	if r.Seen != nil {
		r.Seen(value)
	}
}
