package store

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"

	"gocloud.dev/blob"
)

// listBucket is List of the drivers on top of the library; below lies in front
// of every key of theirs, and sort is what sorts their errors.
func listBucket(ctx context.Context, bucket *blob.Bucket, below, prefix string, sort func(key string, err, other error) error) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		it := bucket.List(&blob.ListOptions{Prefix: below + prefix})
		for {
			object, err := it.Next(ctx)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(Item{}, sort(prefix, err, ErrUnavailable))
				return
			}
			if !yield(Item{Key: strings.TrimPrefix(object.Key, below), Size: object.Size}, nil) {
				return
			}
		}
	}
}
