package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/state"
)

// TestTheLastSlotIsMissing: the head knows how far the journal went, so that its end cannot go unnoticed.
func TestTheLastSlotIsMissing(t *testing.T) {
	m, c := NewMem().(*mem), newFakeClock()
	tn := tenant(t, m, c)
	changed(t, tn, "run-1", 0, 1)
	stop := c.run(time.Second)
	defer stop()
	for i, run := range []string{"run-2", "run-3"} { // both die; the second has written the record of the first
		l := acquire(t, tn, run)
		record(t, l, 1+i, 2+i)
		l.cancel(errors.New("killed"))
		l.wg.Wait()
	}
	h, _, err := tn.head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if h.End <= h.Base+1 {
		t.Fatalf("the journal begins at %d and ends at %d", h.Base, h.End)
	}
	if n := objects(t, tn); n != 3 {
		t.Fatalf("%d objects, want 3", n)
	}
	for key := range m.objects {
		if key >= tn.slotKey(h.End-1) && strings.HasPrefix(key, tn.prefix+"log/") {
			delete(m.objects, key)
		}
	}
	if _, err := tn.State(t.Context()); !errors.Is(err, state.ErrDamaged) {
		t.Errorf("reading: got %v, want ErrDamaged", err)
	}
	if _, err := tn.Acquire(t.Context(), Holder{Run: "run-4"}, options()); !errors.Is(err, state.ErrDamaged) {
		t.Errorf("taking it: got %v, want ErrDamaged", err)
	}
}

// TestMadeInBetween: a tenant that another run makes between two looks has lost no head.
func TestMadeInBetween(t *testing.T) {
	for _, what := range []string{"reading", "taking"} {
		t.Run(what, func(t *testing.T) {
			m, c := NewMem(), newFakeClock()
			other := tenant(t, m, c)
			f := &faulty{Store: m}
			once := false
			f.spoil(nil, func(o op) error {
				if o.name == "Get" && strings.HasSuffix(o.key, "/head") && !once {
					once = true
					changed(t, other, "run-1", 0, 1)
				}
				return nil
			})
			tn := tenant(t, f, c)
			if what == "reading" {
				if s, err := tn.State(t.Context()); err != nil || len(s.Objects) != 1 {
					t.Errorf("got %v", err)
				}
				return
			}
			l, err := tn.Acquire(t.Context(), Holder{Run: "run-2"}, options())
			if err != nil {
				t.Fatal(err)
			}
			if l.Made() || len(l.State().Objects) != 1 {
				t.Error("it was made twice")
			}
			release(t, l)
		})
	}
}

// TestARecordIsMissing: records are never collected, so one that is not there is damage and no version that is too old.
func TestARecordIsMissing(t *testing.T) {
	m, c := NewMem().(*mem), newFakeClock()
	tn := tenant(t, m, c)
	for i, run := range []string{"run-1", "run-2", "run-3"} {
		changed(t, tn, run, i, i+1)
	}
	if _, err := tn.At(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	for key := range m.objects {
		if strings.HasPrefix(key, tn.prefix+"runs/0000000003-") {
			delete(m.objects, key)
		}
	}
	for serial, want := range map[uint64]error{2: state.ErrDamaged, 3: state.ErrDamaged, 4: nil, 9: ErrNoVersion} {
		if _, err := tn.At(t.Context(), serial); !errors.Is(err, want) || errors.Is(err, ErrAbsent) {
			t.Errorf("version %d: got %v, want %v", serial, err, want)
		}
	}
	if a, err := tn.Audit(t.Context()); err != nil || len(a.Broken) == 0 {
		t.Errorf("audit: %v, %+v", err, a)
	}
}

// TestADamagedNeighbour keeps nobody else from beginning.
func TestADamagedNeighbour(t *testing.T) {
	m, c := NewMem().(*mem), newFakeClock()
	r := ring(t, keeperA)
	for _, key := range []string{"adatum", "contoso"} {
		changed(t, locked(t, m, c, key, Options{Keys: r}), "run-1", 0, 1)
	}
	m.objects["t/adatum/head"][20] ^= 1
	changed(t, locked(t, m, c, "fabrikam", Options{Keys: r}), "run-1", 0, 1)
	if _, err := locked(t, m, c, "woodgrove", Options{}).Acquire(t.Context(), Holder{Run: "run-2"}, options()); !errors.Is(err, ErrEncrypted) {
		t.Errorf("without keys: got %v, want ErrEncrypted", err)
	}
}

// TestAuditOfAHeadThatSkipsVersions: where nothing is encrypted a head can be rewritten, and its number tells.
func TestAuditOfAHeadThatSkipsVersions(t *testing.T) {
	for name, row := range map[string]struct {
		runs   int
		skip   int // of the newest records
		broken bool
	}{
		"as written":      {3, 0, false},
		"the newest":      {3, 1, true},
		"two of three":    {3, 2, true},
		"the only one":    {1, 1, true},
		"none at all":     {0, 0, false},
		"all but nothing": {3, 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			m, c := NewMem().(*mem), newFakeClock()
			tn := tenant(t, m, c)
			release(t, acquire(t, tn, "run-0"))
			for i := range row.runs {
				changed(t, tn, fmt.Sprintf("run-%d", i+1), i, i+1)
			}
			h, _, err := tn.head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for range row.skip {
				r, err := tn.record(t.Context(), h.Lineage, h.Last)
				if err != nil {
					t.Fatal(err)
				}
				h.Last = r.Previous
			}
			if m.objects[tn.headKey()], err = h.encode(tn.headKey(), nil); err != nil {
				t.Fatal(err)
			}
			a, err := tn.Audit(t.Context())
			if err != nil || (len(a.Broken) > 0) != row.broken {
				t.Errorf("%v, broken %q", err, a.Broken)
			}
		})
	}
}
