package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"gocloud.dev/blob"
)

// remote is a driver on top of the library. What the services do each in their own
// way is in its hooks.
type remote struct {
	bucket *blob.Bucket
	prefix string // in front of every key
	// version takes an object's version out of the response that its bytes come
	// from; empty if it has none.
	version func(r *blob.Reader) Version
	// condition prepares an upload of so many bytes in one request, over prev unless
	// that is empty: the library has a condition for creating.
	condition func(as func(any) bool, prev Version, size int) error
	// object sorts an error about an object that should be there into the five kinds,
	// other any other error; unknown is the kind of what got no answer.
	object, other func(key string, err, unknown error) error
	// gone says that what was to be removed is not there, where object cannot tell; nil
	// if it can.
	gone func(err error) bool
	// close frees what the service's client holds besides the bucket, its idle
	// connections for one.
	close func() error
}

var errNoCondition = errors.New("the library offers no condition on uploads")

func (r *remote) Close() error {
	return errors.Join(r.bucket.Close(), r.close())
}

func (r *remote) Get(ctx context.Context, key string) ([]byte, Version, error) {
	// A library may take up a broken read as often as it breaks.
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	in, err := r.bucket.NewReader(ctx, r.prefix+key, nil)
	if err != nil {
		return nil, "", r.object(key, err, ErrUnavailable)
	}
	defer func() { _ = in.Close() }()
	v := r.version(in)
	if v == "" {
		return nil, "", fail(key, ErrUnavailable, errors.New("the answer does not say which version it is"))
	}
	body, err := readObject(in)
	if err != nil {
		// Never absent: when a broken read is taken up again, the version that it began
		// with may have been replaced.
		return nil, "", fail(key, ErrUnavailable, err)
	}
	return body, v, nil
}

// Put never uses the bucket's NewWriter or WriteAll: in this version of the
// library Azure's panic when a small write fails.
func (r *remote) Put(ctx context.Context, key string, body []byte, prev Version) (Version, error) {
	if !validKey(key) {
		return "", fail(key, ErrDenied, errKey)
	}
	err := r.bucket.Upload(ctx, r.prefix+key, bytes.NewReader(body), &blob.WriterOptions{
		ContentType:    "application/octet-stream",
		BufferSize:     len(body) + 1, // so that it is one request
		MaxConcurrency: 1,
		IfNotExist:     prev == "",
		BeforeWrite:    func(as func(any) bool) error { return r.condition(as, prev, len(body)) },
	})
	if err == nil {
		return "", nil // the library keeps the new version to itself
	}
	if errors.Is(err, ErrConflict) {
		return "", fail(key, ErrConflict, err) // a version that the service cannot have
	}
	if err = r.other(key, err, ErrAmbiguous); errors.Is(err, ErrAbsent) {
		err = fail(key, ErrConflict, nil) // swapped, but gone
	}
	return "", err
}

func (r *remote) List(ctx context.Context, prefix string) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		it := r.bucket.List(&blob.ListOptions{Prefix: r.prefix + prefix})
		for {
			object, err := it.Next(ctx)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(Item{}, r.other(prefix, err, ErrUnavailable))
				return
			}
			if !yield(Item{Key: strings.TrimPrefix(object.Key, r.prefix), Size: object.Size}, nil) {
				return
			}
		}
	}
}

func (r *remote) Remove(ctx context.Context, key string) error {
	err := r.bucket.Delete(ctx, r.prefix+key)
	if err == nil || r.gone != nil && r.gone(err) {
		return nil
	}
	if err = r.object(key, err, ErrAmbiguous); errors.Is(err, ErrAbsent) {
		return nil
	}
	return err
}

// missingBucket is the cause of a refusal because there is no such bucket.
func missingBucket(cause error, what string) error {
	return fmt.Errorf("%w: there is no such %s; make it first, private and with versioning on", cause, what)
}
