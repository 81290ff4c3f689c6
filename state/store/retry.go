package store

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"time"
)

const (
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
	quickTries = 5
)

// retry repeats a write whose result is not known, or that did not reach the
// store, with growing pauses of random length. A write may be repeated because
// it carries its condition and its nonce. It goes on until ctx is done and, when
// more is given, while that returns nil; without more it gives up soon.
func (b *Bucket) retry(ctx context.Context, more func() error, write func() error) error {
	return b.retryWithin(ctx, lastPause, more, write)
}

// retryWithin is retry with the longest pause given.
func (b *Bucket) retryWithin(ctx context.Context, longest time.Duration, more func() error, write func() error) error {
	pause := min(firstPause, longest)
	for try := 1; ; try++ {
		err := write()
		if err == nil || !errors.Is(err, ErrAmbiguous) && !errors.Is(err, ErrUnavailable) {
			return err
		}
		if ctx.Err() != nil {
			return errors.Join(context.Cause(ctx), err)
		}
		if more == nil && try == quickTries {
			return err
		}
		if more != nil {
			if stop := more(); stop != nil {
				return errors.Join(stop, err)
			}
		}
		if b.clock.Sleep(ctx, b.jitter(pause)) != nil {
			return errors.Join(context.Cause(ctx), err)
		}
		pause = min(2*pause, longest)
	}
}

// jitter returns a random time between half of d and d.
func (b *Bucket) jitter(d time.Duration) time.Duration {
	var raw [4]byte
	if _, err := io.ReadFull(b.random, raw[:]); err != nil {
		return d
	}
	return d/2 + time.Duration(uint64(d/2)*uint64(binary.BigEndian.Uint32(raw[:]))>>32)
}
