package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-project/weir/state"
)

// life is a tenant's with every kind of write: the first snapshot and head,
// seal, intents, outcomes, a note, a checkpoint and its swap, a blob, release,
// and the record of the run.
func life(s Store) error {
	ctx := context.Background()
	b := NewBucket(s, Options{})
	b.probed = true
	tn, err := b.Tenant("contoso")
	if err != nil {
		return err
	}
	l, err := tn.Acquire(ctx, Holder{Run: "run-1"}, options())
	if err != nil {
		return err
	}
	err = errors.Join(
		l.Intend(ctx, []state.Intent{intent(1)}),
		l.Record(ctx, []state.Outcome{done(1)}),
		l.Checkpoint(ctx),
		l.Record(ctx, []state.Outcome{done(2)}),
		b.retry(ctx, nil, func() error { return putBlob(ctx, tn, "directory-1", []byte(strings.Repeat("cache ", 100))) }),
		l.Release(ctx))
	if err != nil {
		return err
	}
	st, err := tn.State(ctx)
	if err == nil && (len(st.Objects) != 2 || len(st.InDoubt) != 0) {
		err = fmt.Errorf("%d objects, %d in doubt", len(st.Objects), len(st.InDoubt))
	}
	return err
}

// writeFault spoils a write.
type writeFault struct {
	name   string
	times  int // how many in a row; 0 means 1
	before func(*cloud, *http.Request) (*http.Response, error)
	after  func(*cloud, *http.Request, *http.Response) (*http.Response, error)
}

// The write took place, and nobody was told.
var afterEffect = []writeFault{
	{name: "answer lost", after: func(_ *cloud, _ *http.Request, resp *http.Response) (*http.Response, error) {
		_ = resp.Body.Close()
		return nil, errors.New("connection reset by peer")
	}},
	{name: "503 after the effect", after: func(c *cloud, r *http.Request, resp *http.Response) (*http.Response, error) {
		_ = resp.Body.Close()
		return c.answer(r, 503, "ServerBusy"), nil
	}},
	{name: "answer lost, and to the repetition too", times: 2, after: func(_ *cloud, _ *http.Request, resp *http.Response) (*http.Response, error) {
		_ = resp.Body.Close()
		return nil, errors.New("connection reset by peer")
	}},
	{name: "answer cut off", after: func(_ *cloud, _ *http.Request, resp *http.Response) (*http.Response, error) {
		return cutOff(resp, 1), nil
	}},
	{name: "answer garbled", after: func(_ *cloud, _ *http.Request, resp *http.Response) (*http.Response, error) {
		return garbled(resp), nil
	}},
}

// The write did not take place, or not at once.
var refusals = []writeFault{
	{name: "503", before: func(c *cloud, r *http.Request) (*http.Response, error) { return c.answer(r, 503, "ServerBusy"), nil }},
	{name: "429", before: func(c *cloud, r *http.Request) (*http.Response, error) { return c.answer(r, 429, ""), nil }},
	{name: "409 of another kind", before: func(c *cloud, r *http.Request) (*http.Response, error) {
		return c.answer(r, 409, map[string]string{"azblob": "OperationTimedOut", "s3": "ConditionalRequestConflict", "gs": "conflict"}[c.scheme()]), nil
	}},
	{name: "connection refused", before: func(*cloud, *http.Request) (*http.Response, error) {
		return nil, errors.New("connection refused")
	}},
	{name: "slow", before: func(*cloud, *http.Request) (*http.Response, error) {
		time.Sleep(100 * time.Millisecond)
		return nil, nil
	}},
}

// wire spoils the n-th write.
func (f writeFault) wire(c *cloud, n int) *wire {
	spoilt := func(write int) bool { return write >= n && write < n+max(1, f.times) }
	return &wire{
		before: func(x exchange) (*http.Response, error) {
			if f.before != nil && spoilt(x.write) {
				return f.before(c, x.Request)
			}
			return nil, nil
		},
		after: func(x exchange, resp *http.Response) (*http.Response, error) {
			if f.after != nil && spoilt(x.write) {
				return f.after(c, x.Request, resp)
			}
			return resp, nil
		},
	}
}

// TestFaults spoils exchanges with each server, below the client libraries.
func TestFaults(t *testing.T) {
	eachCloud(t, func(t *testing.T, c *cloud) {
		for _, f := range []struct {
			name string
			test func(*testing.T, *cloud)
		}{
			{"lost answers", lostAnswers},
			{"writes", writeFaults},
			{"writes of others", foreignWrites},
			{"reads", readFaults},
			{"slower than the fence", slowerThanTheFence},
			{"conditions ignored", conditionsIgnored},
		} {
			t.Run(f.name, func(t *testing.T) { f.test(t, c) })
		}
	})
}

// lostAnswers loses the answer to every single write of a tenant's life in each
// way. Each write must be recognised as ours with at most two extra reads.
func lostAnswers(t *testing.T, c *cloud) {
	writes, reads := c.clean(t)
	var mu sync.Mutex
	most, recognised := 0, 0
	for _, fault := range afterEffect {
		atOnce(writes, func(n int) {
			w := fault.wire(c, n)
			s, err := c.open(w)
			if err == nil {
				err = life(s)
			}
			if err != nil {
				t.Errorf("%s, write %d of %d: %v", fault.name, n, writes, err)
				return
			}
			_, r := w.count()
			if r-reads > 2 {
				t.Errorf("%s, write %d of %d: %d extra reads, want at most 2", fault.name, n, writes, r-reads)
			}
			mu.Lock()
			defer mu.Unlock()
			recognised++
			most = max(most, r-reads)
		})
	}
	t.Logf("%d writes in %d ways: %d of %d recognised as ours, with at most %d extra reads",
		writes, len(afterEffect), recognised, writes*len(afterEffect), most)
}

// clean returns what a tenant's life takes without a fault.
func (c *cloud) clean(t *testing.T) (writes, reads int) {
	t.Helper()
	w := &wire{}
	s, err := c.open(w)
	if err != nil {
		t.Fatal(err)
	}
	if err := life(s); err != nil {
		t.Fatal(err)
	}
	writes, reads = w.count()
	if writes < 8 {
		t.Fatalf("%d writes seen, so the faults would not be tried", writes)
	}
	return writes, reads
}

func (c *cloud) scheme() string {
	scheme, _, _ := strings.Cut(c.URL, "://")
	return scheme
}

// writeFaults refuses or delays every single write of a tenant's life in
// each way.
func writeFaults(t *testing.T, c *cloud) {
	writes, _ := c.clean(t)
	for _, fault := range refusals {
		atOnce(writes, func(n int) {
			s, err := c.open(fault.wire(c, n))
			if err == nil {
				err = life(s)
			}
			if err != nil {
				t.Errorf("%s, write %d of %d: %v", fault.name, n, writes, err)
			}
		})
	}
}

// foreignWrites is the twin: what reads as not kept, or as another's,
// is not taken for ours.
func foreignWrites(t *testing.T, c *cloud) {
	w := &wire{}
	s, err := c.open(w)
	if err != nil {
		t.Fatal(err)
	}
	v := put(t, s, "t/a/head", "one", "")
	w.before = func(x exchange) (*http.Response, error) {
		if x.write > 0 {
			return nil, errors.New("connection refused")
		}
		return nil, nil
	}
	if _, err := (verified{s}).Put(t.Context(), "t/a/head", []byte("two"), v); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("a swap that did not arrive: %v, want ErrAmbiguous", err)
	}
	if _, err := (verified{s}).Put(t.Context(), "t/a/other", []byte("two"), ""); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("a create that did not arrive: %v, want ErrAmbiguous", err)
	}
	w.before = nil
	put(t, s, "t/a/head", "of another", v)
	w.after = func(x exchange, resp *http.Response) (*http.Response, error) {
		if x.write > 0 {
			_ = resp.Body.Close()
			return nil, errors.New("connection reset by peer")
		}
		return resp, nil
	}
	if _, err := (verified{s}).Put(t.Context(), "t/a/head", []byte("three"), v); !errors.Is(err, ErrConflict) {
		t.Errorf("another's swap: %v, want ErrConflict", err)
	}
}

// readFaults cuts off and garbles every single read that taking a tenant
// does, and all after it: either the state is read right in spite of that, as by
// a library that asks again, or there is an error and nothing is written.
func readFaults(t *testing.T, c *cloud) {
	s, err := c.at("reads/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := life(s); err != nil {
		t.Fatal(err)
	}
	counter := &wire{}
	if s, err = c.at("reads/", counter); err != nil {
		t.Fatal(err)
	}
	if n := objects(t, tenant(t, s, SystemClock())); n != 2 {
		t.Fatalf("%d objects, want 2", n)
	}
	_, reads := counter.count()
	for name, spoil := range map[string]func(*http.Response) *http.Response{
		"cut off": func(resp *http.Response) *http.Response { return cutOff(resp, 10) },
		"ended early": func(resp *http.Response) *http.Response {
			resp.Body = struct {
				io.Reader
				io.Closer
			}{io.LimitReader(resp.Body, 10), resp.Body}
			return resp
		},
		"garbled": garbled,
	} {
		for n := 1; n <= reads; n++ {
			var spoilt atomic.Int32
			w := &wire{after: func(x exchange, resp *http.Response) (*http.Response, error) {
				if x.read >= n && resp.StatusCode < 300 {
					spoilt.Add(1)
					return spoil(resp), nil
				}
				return resp, nil
			}}
			s, err := c.at("reads/", w)
			if err != nil {
				t.Fatal(err)
			}
			st, err := tenant(t, s, SystemClock()).State(t.Context())
			switch {
			case spoilt.Load() == 0 && n == 1:
				t.Errorf("%s: nothing was spoilt", name)
			case errors.Is(err, ErrAbsent):
				t.Errorf("%s, read %d of %d on: taken for absent: %v", name, n, reads, err)
			case err == nil && len(st.Objects) != 2:
				t.Errorf("%s, read %d of %d on: %d objects, want 2", name, n, reads, len(st.Objects))
			}
		}
	}
	// Whoever would take the tenant writes nothing.
	w := &wire{after: func(x exchange, resp *http.Response) (*http.Response, error) {
		if x.read > 0 {
			return garbled(resp), nil
		}
		return resp, nil
	}}
	spoilt, err := c.at("reads/", w)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tenant(t, spoilt, SystemClock()).Acquire(t.Context(), Holder{Run: "run-2"}, options())
	if writes, _ := w.count(); err == nil || writes != 0 {
		t.Errorf("taken with %v and %d writes, want an error and none", err, writes)
	}
	l := acquire(t, tenant(t, s, SystemClock()), "run-3") // the twin
	release(t, l)
}

// slowerThanTheFence holds back every write for longer than the lease can be
// trusted: no call may begin then, and no slot is written.
func slowerThanTheFence(t *testing.T, c *cloud) {
	for _, slow := range []bool{true, false} {
		var on atomic.Bool
		var slots atomic.Int32
		w := &wire{before: func(x exchange) (*http.Response, error) {
			if x.write > 0 && strings.Contains(x.URL.String(), "log") {
				slots.Add(1)
			}
			if x.write > 0 && on.Load() {
				<-x.Context().Done()
				return nil, context.Cause(x.Context())
			}
			return nil, nil
		}}
		s, err := c.open(w)
		if err != nil {
			t.Fatal(err)
		}
		o := options()
		o.TTL = 2 * time.Second
		tn := tenant(t, s, SystemClock())
		tn.b.probed = true
		l, err := tn.Acquire(t.Context(), Holder{Run: "run-1"}, o)
		if err != nil {
			t.Fatal(err)
		}
		before := slots.Load()
		on.Store(slow)
		if slow {
			<-l.Context().Done() // at the fence
			if err := l.Intend(t.Context(), []state.Intent{intent(1)}); !errors.Is(err, ErrLost) {
				t.Errorf("an intent behind the fence: %v, want ErrLost", err)
			}
			if n := slots.Load() - before; n != 0 {
				t.Errorf("%d slots behind the fence", n)
			}
			l.cancel(errors.New("end of the test"))
			continue
		}
		time.Sleep(o.TTL)
		if err := l.Intend(t.Context(), []state.Intent{intent(1)}); err != nil || slots.Load() == before {
			t.Errorf("with a store that answers: %v, %d slots", err, slots.Load()-before)
		}
		release(t, l)
	}
}

// conditionsIgnored takes the conditions off every request, as stores do that do
// not know them, and says them to be unknown. Azure and versitygw sign them, so
// there it cannot be tried.
func conditionsIgnored(t *testing.T, c *cloud) {
	if c.Name != "s3-gofakes3" && c.Name != "gs-fake" {
		t.Skip("the conditions are signed")
	}
	for name, before := range map[string]func(x exchange) (*http.Response, error){
		"create ignored": func(x exchange) (*http.Response, error) {
			x.Header.Del("If-None-Match")
			strip(x.Request, func(v string) bool { return v == "0" })
			return nil, nil
		},
		"swap ignored": func(x exchange) (*http.Response, error) {
			x.Header.Del("If-Match")
			strip(x.Request, func(v string) bool { return v != "0" })
			return nil, nil
		},
		"unknown": func(x exchange) (*http.Response, error) {
			if x.write > 0 && c.scheme() == "s3" {
				return c.answer(x.Request, http.StatusNotImplemented, "NotImplemented"), nil
			}
			strip(x.Request, func(string) bool { return true })
			return nil, nil
		},
		"": nil, // the twin
	} {
		s, err := c.open(&wire{before: before})
		if err != nil {
			t.Fatal(err)
		}
		tn := tenant(t, s, SystemClock())
		_, err = tn.Acquire(t.Context(), Holder{Run: "run-1"}, options())
		switch {
		case before == nil && err != nil:
			t.Error(err)
		case before != nil && !errors.Is(err, ErrUnfit):
			t.Errorf("%s: %v, want ErrUnfit", name, err)
		}
		if _, _, err := s.Get(t.Context(), "t/contoso/head"); errors.Is(err, ErrAbsent) != (before != nil) {
			t.Errorf("%s: the head: %v", name, err)
		}
	}
}

// strip takes the condition off an upload to Google.
func strip(r *http.Request, which func(value string) bool) {
	q := r.URL.Query()
	if q.Has("ifGenerationMatch") && which(q.Get("ifGenerationMatch")) {
		q.Del("ifGenerationMatch")
		r.URL.RawQuery = q.Encode()
	}
}
