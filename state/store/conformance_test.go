package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-project/weir/state"
	"github.com/weir-project/weir/state/store/storetest"
)

// TestConformance runs one suite over every driver.
func TestConformance(t *testing.T) {
	t.Run("mem", func(t *testing.T) {
		conform(t, func(*testing.T) Store { return NewMem() })
	})
	storetest.Each(t, func(t *testing.T, place storetest.Place) {
		place.Setenv(t)
		var n atomic.Int32
		conform(t, func(t *testing.T) Store {
			return opened(t, place.Below(fmt.Sprintf("p%d/", n.Add(1))))
		})
	})
}

func opened(t *testing.T, url string) Store {
	t.Helper()
	s, err := Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func conform(t *testing.T, open func(*testing.T) Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Store)
	}{
		{"create, read, swap, remove", conformObjects},
		{"wrong versions", conformVersions},
		{"keys", conformKeys},
		{"list", conformList},
		{"one of many swaps wins", conformSwapRace},
		{"one of many creates wins", conformCreateRace},
		{"cancelled", conformCancelled},
		{"probe", func(t *testing.T, s Store) {
			if err := NewBucket(s, Options{}).Probe(t.Context()); err != nil {
				t.Error(err)
			}
		}},
		{"a tenant's life", conformTenant},
		{"takeover", conformTakeover},
		{"many tenants", conformTenants},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func get(t *testing.T, s Store, key string) ([]byte, Version) {
	t.Helper()
	body, v, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return body, v
}

func put(t *testing.T, s Store, key, body string, prev Version) Version {
	t.Helper()
	if _, err := s.Put(t.Context(), key, []byte(body), prev); err != nil {
		t.Fatal(err)
	}
	_, v := get(t, s, key)
	return v
}

func conformObjects(t *testing.T, s Store) {
	if _, _, err := s.Get(t.Context(), "t/a/head"); !errors.Is(err, ErrAbsent) {
		t.Fatalf("reading what is not there: %v, want ErrAbsent", err)
	}
	v1 := put(t, s, "t/a/head", "one", "")
	v2 := put(t, s, "t/a/head", "two", v1)
	if v1 == v2 || v1 == "" {
		t.Errorf("versions %q and %q", v1, v2)
	}
	if body, _ := get(t, s, "t/a/head"); string(body) != "two" {
		t.Errorf("read %q", body)
	}
	put(t, s, "t/a/empty", "", "")
	large := strings.Repeat("x", 9<<20)
	put(t, s, "t/a/large", large, "")
	if body, _ := get(t, s, "t/a/large"); string(body) != large {
		t.Error("9 MiB came back changed")
	}
	for range 2 { // the second time there is nothing
		if err := s.Remove(t.Context(), "t/a/head"); err != nil {
			t.Error(err)
		}
	}
	if err := s.Remove(t.Context(), "no/such/folder"); err != nil {
		t.Error(err)
	}
	if _, _, err := s.Get(t.Context(), "t/a/head"); !errors.Is(err, ErrAbsent) {
		t.Errorf("reading what was removed: %v, want ErrAbsent", err)
	}
}

func conformVersions(t *testing.T, s Store) {
	v1 := put(t, s, "t/a/head", "one", "")
	v2 := put(t, s, "t/a/head", "two", v1)
	refused := func(what, key string, prev Version) {
		t.Helper()
		if _, err := s.Put(t.Context(), key, []byte("three"), prev); !errors.Is(err, ErrConflict) {
			t.Errorf("%s: %v, want ErrConflict", what, err)
		}
	}
	refused("creating twice", "t/a/head", "")
	refused("swapping an old version", "t/a/head", v1)
	refused("swapping what is not there", "t/a/other", v2)
	refused("swapping what is not there, in a folder that is not", "t/b/head", v2)
	if body, _ := get(t, s, "t/a/head"); string(body) != "two" {
		t.Errorf("a refused put left %q", body)
	}
	if _, _, err := s.Get(t.Context(), "t/a/other"); !errors.Is(err, ErrAbsent) {
		t.Errorf("a refused swap created something: %v", err)
	}
	put(t, s, "t/a/head", "three", v2) // the twin
	// The wrapper turns none of these into a success.
	if _, err := (verified{s}).Put(t.Context(), "t/a/head", []byte("four"), v1); !errors.Is(err, ErrConflict) {
		t.Errorf("verified: %v, want ErrConflict", err)
	}
}

func conformKeys(t *testing.T, s Store) {
	for _, key := range []string{"", "/", "a/", "/a", "a//b", "../a", "a/../b", ".hidden", "a/.tmp-1", "a/b.lk", "a b", "a\\b", "ä", strings.Repeat("a", 600)} {
		if _, err := s.Put(t.Context(), key, []byte("x"), ""); !errors.Is(err, ErrDenied) {
			t.Errorf("key %q: %v, want ErrDenied", key, err)
		}
	}
	put(t, s, "t/_root/head", "x", "")
}

func conformList(t *testing.T, s Store) {
	keys := []string{"t/a/head", "t/a/log/0000000001", "t/a/log/0000000002", "t/ab/head", "t/b/head", "u/x"}
	for _, key := range slices.Backward(keys) {
		put(t, s, key, key, "")
	}
	for _, row := range []struct {
		prefix string
		want   []string
	}{
		{"", keys}, {"t/", keys[:5]}, {"t/a", keys[:4]}, {"t/a/", keys[:3]}, {"t/a/log/", keys[1:3]},
		{"t/a/log/0000000002", keys[2:3]}, {"v/", nil}, {"t/c/d/", nil},
	} {
		var got []string
		for item, err := range s.List(t.Context(), row.prefix) {
			if err != nil {
				t.Fatal(err)
			}
			if item.Size != int64(len(item.Key)) {
				t.Errorf("%s: size %d", item.Key, item.Size)
			}
			got = append(got, item.Key)
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("list %q: %q, want %q", row.prefix, got, row.want)
		}
	}
	for _, err := range s.List(t.Context(), "t/") {
		if err != nil {
			t.Error(err)
		}
		break // leaving early is allowed
	}
}

func conformSwapRace(t *testing.T, s Store) {
	put(t, s, "t/a/head", "0", "")
	const racers, rounds = 8, 10
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range racers {
		wg.Go(func() {
			for j := range rounds {
				_, v, err := s.Get(t.Context(), "t/a/head")
				if err != nil {
					t.Error(err)
					return
				}
				_, err = verified{s}.Put(t.Context(), "t/a/head", fmt.Appendf(nil, "%d %d", i, j), v)
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, ErrConflict) {
					t.Errorf("%v, want ErrConflict", err)
				}
			}
		})
	}
	wg.Wait()
	if won.Load() == 0 {
		t.Error("nobody won")
	}
}

func conformCreateRace(t *testing.T, s Store) {
	for round := range 10 {
		key := fmt.Sprintf("t/a/log/%d", round)
		var won atomic.Int32
		var winner atomic.Value
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				body := fmt.Sprint(i)
				_, err := verified{s}.Put(t.Context(), key, []byte(body), "")
				if err == nil {
					won.Add(1)
					winner.Store(body)
				} else if !errors.Is(err, ErrConflict) {
					t.Errorf("%v, want ErrConflict", err)
				}
			})
		}
		wg.Wait()
		if body, _ := get(t, s, key); won.Load() != 1 || string(body) != winner.Load() {
			t.Errorf("%s: %d winners, %q stored", key, won.Load(), body)
		}
	}
}

func conformCancelled(t *testing.T, s Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Get(ctx, "t/a/head"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("get: %v, want ErrUnavailable", err)
	}
	if _, err := s.Put(ctx, "t/a/head", []byte("x"), ""); !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrAmbiguous) {
		t.Errorf("put: %v, want ErrUnavailable or ErrAmbiguous", err)
	}
	put(t, s, "t/a/head", "x", "") // the twin
}

func conformTenant(t *testing.T, s Store) {
	tn := tenant(t, s, SystemClock())
	l := acquire(t, tn, "run-1")
	if err := l.Intend(t.Context(), []state.Intent{intent(1), intent(2)}); err != nil {
		t.Fatal(err)
	}
	record(t, l, 1, 2)
	if err := l.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	record(t, l, 2, 3)
	release(t, l)
	st, err := tn.State(t.Context())
	if err != nil || len(st.Objects) != 2 || len(st.InDoubt) != 0 {
		t.Errorf("%v, %d objects, %d in doubt", err, len(st.Objects), len(st.InDoubt))
	}
	blobs, err := tn.OpenBlobs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := blobs.Put(t.Context(), "directory-1", []byte("cache")); err != nil {
		t.Fatal(err)
	}
	if err := blobs.Put(t.Context(), "directory-1", []byte("other")); !errors.Is(err, ErrConflict) {
		t.Errorf("a blob replaced: %v, want ErrConflict", err)
	}
	if body, err := blobs.Get(t.Context(), "directory-1"); err != nil || !bytes.Equal(body, []byte("cache")) {
		t.Errorf("blob: %v %q", err, body)
	}
	if _, err := blobs.Get(t.Context(), "directory-2"); !errors.Is(err, ErrAbsent) {
		t.Errorf("no blob: %v, want ErrAbsent", err)
	}
	if names, err := blobs.List(t.Context()); err != nil || !slices.Equal(names, []string{"directory-1"}) {
		t.Errorf("blobs: %v %q", err, names)
	}
	if err := errors.Join(blobs.Remove(t.Context(), "directory-1"), blobs.Remove(t.Context(), "directory-1")); err != nil {
		t.Error(err)
	}
	if names, err := blobs.List(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("blobs after their removal: %v %q", err, names)
	}
	stateless, err := tn.b.Tenant("stateless")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stateless.OpenBlobs(t.Context()); !errors.Is(err, ErrAbsent) {
		t.Errorf("blobs of a tenant without state: %v, want ErrAbsent", err)
	}
}

func conformTakeover(t *testing.T, s Store) {
	o := options()
	o.TTL = 3 * time.Second // on a busy machine it must outlast the work between
	first, err := tenant(t, s, SystemClock()).Acquire(t.Context(), Holder{Run: "run-1"}, o)
	if err != nil {
		t.Fatal(err)
	}
	record(t, first, 1, 2)
	first.cancel(errors.New("killed"))
	first.wg.Wait()
	second, err := tenant(t, s, SystemClock()).Acquire(t.Context(), Holder{Run: "run-2"}, o)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(second.State().Objects); n != 1 {
		t.Errorf("%d objects after the takeover, want 1", n)
	}
	// Awake again, and about to say that something happened: the seal is in the way.
	if err := first.writeSlot(t.Context(), []state.Entry{{Outcome: ptr(done(2))}}); err == nil {
		t.Error("the old holder wrote to the journal")
	}
	release(t, second)
	if n := objects(t, tenant(t, s, SystemClock())); n != 1 {
		t.Errorf("%d objects, want 1", n)
	}
}

func conformTenants(t *testing.T, s Store) {
	b := NewBucket(s, Options{})
	var wg sync.WaitGroup
	want := []string{"_root", "a", "b", "c", "d", "e"}
	for _, key := range want {
		wg.Go(func() {
			tn, err := b.Tenant(key)
			if err != nil {
				t.Error(err)
				return
			}
			l, err := tn.Acquire(t.Context(), Holder{}, options())
			if err != nil {
				t.Errorf("%s: %v", key, err)
				return
			}
			if err := l.Release(t.Context()); err != nil {
				t.Errorf("%s: %v", key, err)
			}
		})
	}
	wg.Wait()
	got, err := b.Tenants(t.Context())
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("tenants %q, %v, want %q", got, err, want)
	}
	heads := 0
	for h, err := range b.Heads(t.Context()) {
		if err != nil || h.Holder != nil || h.Realm != state.Live {
			t.Errorf("%v %+v", err, h)
		}
		heads++
	}
	if heads != len(want) {
		t.Errorf("%d heads, want %d", heads, len(want))
	}
	for _, err := range b.Heads(t.Context()) {
		if err != nil {
			t.Error(err)
		}
		break
	}
}
