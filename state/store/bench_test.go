package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-project/weir/state"
	"github.com/weir-project/weir/state/store/storetest"
)

// The benchmarks of a tenant with 200,000 accounts. Peak memory is the most that the heap held, live and not yet
// collected, looked at every few milliseconds; the test's own state is part of it.

const manyAccounts = 200_000

// scaled is account i as it really is: hard to compress.
func scaled(i, version int) *state.Account {
	h := digest(fmt.Appendf(nil, "%d %d", i, version))
	return &state.Account{
		Address: fmt.Sprintf("first.last%06d@contoso.com", i), UID: 1_000_000 + i,
		ObjectID: h[5:13] + "-" + h[13:17] + "-" + h[17:21] + "-" + h[21:25] + "-" + h[25:37],
		Policy:   "sync_policy.people", Hash: h[37:], Ownership: state.Created, Type: "end_user", Active: true,
		Aliases: []string{fmt.Sprintf("fl%06d@contoso.com", i)},
	}
}

func scaledOutcomes(from, to, version int) []state.Outcome {
	var all []state.Outcome
	for i := from; i < to; i++ {
		a := scaled(i, version)
		all = append(all, state.Outcome{Op: fmt.Sprintf("op-%d-%d", i, version), Address: a.Policy, Mail: a.Address, Type: "account",
			Action: "update", Result: state.Done, Account: a})
	}
	return all
}

// meter counts the bytes written.
type meter struct {
	Store
	bytes atomic.Int64
}

func (m *meter) Put(ctx context.Context, key string, body []byte, prev Version) (Version, error) {
	m.bytes.Add(int64(len(body)))
	return m.Store.Put(ctx, key, body, prev)
}

func (m *meter) List(ctx context.Context, prefix string) iter.Seq2[Item, error] {
	return m.Store.List(ctx, prefix)
}

// peak watches the heap until the function is called, which returns the most in MiB.
func peak() func() float64 {
	runtime.GC()
	done, most := make(chan struct{}), make(chan uint64)
	go func() {
		var m runtime.MemStats
		var top uint64
		for {
			runtime.ReadMemStats(&m)
			top = max(top, m.HeapAlloc)
			select {
			case <-done:
				most <- top
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() float64 { close(done); return float64(<-most) / (1 << 20) }
}

// eachStore runs a benchmark in memory and in a place of every kind that is there.
func eachStore(b *testing.B, test func(b *testing.B, s *meter)) {
	b.Run("mem", func(b *testing.B) { test(b, &meter{Store: NewMem()}) })
	for _, k := range storetest.Kinds() {
		b.Run(k.Name, func(b *testing.B) {
			place := k.Start(b)
			place.Setenv(b)
			s, err := Open(b.Context(), place.Below("bench/"))
			if err != nil {
				b.Fatal(err)
			}
			test(b, &meter{Store: s})
		})
	}
}

// populated is a tenant of 200,000 accounts in one snapshot, and its lease.
func populated(b *testing.B, s Store) (*Tenant, *Lease) {
	b.Helper()
	tn := tenant(b, s, SystemClock())
	tn.b.probed = true
	l := acquire(b, tn, "first")
	st := l.State()
	for i := range manyAccounts {
		st.Accounts.Put(scaled(i, 0))
	}
	if err := l.Replace(b.Context(), st, ""); err != nil {
		b.Fatal(err)
	}
	return tn, l
}

// BenchmarkTenOf200000 changes ten accounts in a run of its own, and compares that with writing the whole state.
func BenchmarkTenOf200000(b *testing.B) {
	eachStore(b, func(b *testing.B, s *meter) {
		tn, l := populated(b, s)
		st := l.State()
		for i := range manyAccounts {
			st.Accounts.Put(scaled(i, 1)) // so that no part is as it was
		}
		s.bytes.Store(0)
		begun := time.Now()
		if err := l.Replace(b.Context(), st, ""); err != nil {
			b.Fatal(err)
		}
		whole, wholeBytes := time.Since(begun), s.bytes.Load()
		release(b, l)
		st = nil
		var record, taken time.Duration
		var written int64
		n := 0
		for b.Loop() {
			n++
			begun := time.Now()
			l := acquire(b, tn, fmt.Sprintf("run-%d", n))
			taken += time.Since(begun)
			s.bytes.Store(0)
			begun = time.Now()
			if err := l.Record(b.Context(), scaledOutcomes(100*n, 100*n+10, 2)); err != nil {
				b.Fatal(err)
			}
			release(b, l)
			record += time.Since(begun)
			written += s.bytes.Load()
		}
		b.ReportMetric(float64(written)/float64(n), "B-written")
		b.ReportMetric(100*float64(written)/float64(n)/float64(wholeBytes), "%bytes-of-whole")
		b.ReportMetric(100*float64(record)/float64(n)/float64(whole), "%time-of-whole")
		b.ReportMetric(record.Seconds()*1000/float64(n), "ms-write")
		b.ReportMetric(whole.Seconds()*1000, "ms-whole")
		b.ReportMetric(taken.Seconds()*1000/float64(n), "ms-acquire")
	})
}

// BenchmarkRecover200000 takes over a tenant from a run that died, with a journal of 5,000 entries after the snapshot.
func BenchmarkRecover200000(b *testing.B) {
	eachStore(b, func(b *testing.B, s *meter) {
		tn, l := populated(b, s)
		for from := 0; from < 5000; from += 200 {
			if err := l.Record(b.Context(), scaledOutcomes(from, from+200, 1)); err != nil {
				b.Fatal(err)
			}
		}
		l.cancel(errors.New("killed"))
		l.wg.Wait()
		l = nil
		most := 0.0
		for b.Loop() {
			stop := peak()
			next, err := takeOver(tn)
			if err != nil {
				b.Fatal(err)
			}
			most = max(most, stop())
			next.cancel(errors.New("killed"))
			next.wg.Wait()
		}
		b.ReportMetric(most, "peak-MiB")
	})
}

// BenchmarkCheckpoint200000 writes the whole state, and says what memory that takes.
func BenchmarkCheckpoint200000(b *testing.B) {
	_, l := populated(b, NewMem())
	most, n := 0.0, 1
	for b.Loop() {
		n++
		if err := l.Record(b.Context(), scaledOutcomes(0, 200, n)); err != nil {
			b.Fatal(err)
		}
		stop := peak()
		if err := l.Checkpoint(b.Context()); err != nil {
			b.Fatal(err)
		}
		most = max(most, stop())
	}
	b.ReportMetric(most, "peak-MiB")
	release(b, l)
}

// BenchmarkSlot writes slots of 200 account outcomes, which is what a bulk write of accounts costs.
func BenchmarkSlot(b *testing.B) {
	eachStore(b, func(b *testing.B, s *meter) {
		tn := tenant(b, s, SystemClock())
		tn.b.probed = true
		l := acquire(b, tn, "run")
		n := 0
		for b.Loop() {
			if err := l.Record(b.Context(), scaledOutcomes(200*n, 200*n+200, 0)); err != nil {
				b.Fatal(err)
			}
			n++
		}
		release(b, l)
	})
}
