package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-project/weir/state"
	"github.com/weir-project/weir/state/keys"
)

// machine is a run's place: a spool folder, and whom to tell.
type machine struct {
	t    *testing.T
	f    *faulty
	m    *mem
	c    *fakeClock
	keys *keys.Ring
	dir  string // of the spool; "" for none
	told []string
}

func newMachine(t *testing.T, encrypted bool) *machine {
	x := &machine{t: t, m: NewMem().(*mem), c: newFakeClock(), dir: filepath.Join(t.TempDir(), "private", "spool")}
	x.f = &faulty{Store: x.m}
	if encrypted {
		x.keys = ring(t, keeperA)
	}
	return x
}

// elsewhere is another machine at the same bucket.
func (x *machine) elsewhere() *machine {
	y := *x
	y.dir, y.told = filepath.Join(x.t.TempDir(), "spool"), nil
	return &y
}

func (x *machine) tenant() *Tenant {
	return locked(x.t, x.f, x.c, "contoso", Options{Keys: x.keys, Spool: x.dir})
}

func (x *machine) try(run string) (*Lease, error) {
	x.told = nil
	o := options()
	o.Kept = func(text string) { x.told = append(x.told, text) }
	o.Dead = func(Process) bool { return true }
	return x.tenant().Acquire(x.t.Context(), Holder{Run: run, Who: "alice", Host: "ci", Operation: "apply"}, o)
}

func (x *machine) acquire(run string) *Lease {
	x.t.Helper()
	l, err := x.try(run)
	if err != nil {
		x.t.Fatal(err)
	}
	return l
}

func (x *machine) files() []string {
	x.t.Helper()
	var names []string
	entries, err := os.ReadDir(x.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		x.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != lockName {
			names = append(names, filepath.Join(x.dir, e.Name()))
		}
	}
	return names
}

func (x *machine) said(text string) bool {
	return slices.ContainsFunc(x.told, func(s string) bool { return strings.Contains(s, text) })
}

// journalFault spoils writes, and if reads are given those too, of journal slots.
func journalFault(err func(op) error, reads bool) func(op) error {
	return func(o op) error {
		if strings.Contains(o.key, "/log/") && (o.name == "Put" || reads && o.name == "Get") {
			return err(o)
		}
		return nil
	}
}

func denied(o op) error { return fail(o.key, ErrDenied, errors.New("read only")) }

// stopped has run-1 record object 0, begin 2 and 3, and then lose the journal while it records 2. The error is what
// the run was told.
func (x *machine) stopped(before, after func(op) error) error {
	x.t.Helper()
	l := x.acquire("run-1")
	record(x.t, l, 0, 1)
	if err := l.Intend(x.t.Context(), []state.Intent{intent(2), intent(3)}); err != nil {
		x.t.Fatal(err)
	}
	x.f.spoil(before, after)
	stop := x.c.run(5 * time.Second)
	err := l.Record(context.Background(), []state.Outcome{done(2), done(9)})
	_ = l.Release(context.Background()) // it may be lost
	stop()
	x.f.spoil(nil, nil)
	if err == nil {
		x.t.Fatal("the outcome was recorded")
	}
	return err
}

func names(s *state.State) string {
	return fmt.Sprintf("%s / %s", strings.Join(slices.Sorted(maps.Keys(s.Objects)), " "), strings.Join(slices.Sorted(maps.Keys(s.InDoubt)), " "))
}

func (x *machine) want(what, want string) {
	x.t.Helper()
	s, err := x.tenant().State(x.t.Context())
	if err != nil {
		x.t.Fatal(err)
	}
	if got := names(s); got != want {
		x.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

const (
	without = "domain.d0 / op-2 op-3"
	with    = "domain.d0 domain.d2 domain.d9 / op-3"
	settled = "domain.d0 domain.d2 / op-3"
)

// TestWhatCouldNotBeStored: it is kept on this machine, seen from there at once, and stored by the next run. Without a
// folder it is in doubt, as ever.
func TestWhatCouldNotBeStored(t *testing.T) {
	for _, encrypted := range []bool{false, true} {
		for _, row := range []struct {
			name          string
			before, after func(op) error
			stored        bool // although nobody was told
		}{
			{"out of reach", journalFault(away, true), nil, false},
			{"all of it out of reach", away, nil, false},
			{"refused", journalFault(denied, false), nil, false},
			{"no answer, and not stored", journalFault(lost, true), nil, false},
			{"no answer, and stored", nil, journalFault(lost, true), true},
		} {
			t.Run(fmt.Sprintf("%s, encrypted %v", row.name, encrypted), func(t *testing.T) {
				x := newMachine(t, encrypted)
				err := x.stopped(row.before, row.after)
				var kept *KeptError
				if !errors.As(err, &kept) || kept.Folder != x.dir || !strings.Contains(err.Error(), "next run on this machine") {
					t.Fatalf("got %v, want a KeptError of %s", err, x.dir)
				}
				files := x.files()
				if len(files) != 1 {
					t.Fatalf("%d files, want 1: %q", len(files), files)
				}
				for path, want := range map[string]fs.FileMode{files[0]: 0o600, x.dir: 0o700 | fs.ModeDir} {
					if info, err := os.Stat(path); err != nil || posixModes && info.Mode() != want {
						t.Errorf("%s: %v, want %v (%v)", path, info.Mode(), want, err)
					}
				}
				body, err := os.ReadFile(files[0])
				if err != nil {
					t.Fatal(err)
				}
				if l, _, err := cut("", body); err != nil || encrypted != (l.method == methodSealed) {
					t.Errorf("it is kept as %q, %v", l.method, err)
				}
				slot := "t/contoso/log/0000000004"
				if _, there := x.m.objects[slot]; there != row.stored {
					t.Fatalf("stored: %v, want %v", there, row.stored)
				}

				x.want("seen from this machine", with)
				other := x.elsewhere()
				if !row.stored {
					other.want("seen from another", without)
				}
				if len(x.files()) != 1 {
					t.Error("reading took it up")
				}
				release(t, x.acquire("run-2"))
				if !row.stored && !x.said("what run run-1 did and could not store was kept on this machine, and is stored now: 2 changes") || row.stored && len(x.told) > 0 {
					t.Errorf("told %q", x.told)
				}
				if left := x.files(); len(left) > 0 {
					t.Errorf("left: %q", left)
				}
				if !bytes.Equal(x.m.objects[slot], body) {
					t.Error("it was not stored as it was")
				}
				other.want("from everywhere", with)
				audited(t, other.tenant())
				release(t, x.acquire("run-3"))
				if len(x.told) > 0 {
					t.Errorf("told again: %q", x.told)
				}
			})
		}
	}
	t.Run("without a folder", func(t *testing.T) {
		x := newMachine(t, false)
		x.dir = ""
		if err := x.stopped(away, nil); errors.As(err, new(*KeptError)) {
			t.Errorf("it says that it was kept: %v", err)
		}
		release(t, x.acquire("run-2"))
		x.want("in doubt", without)
	})
}

// TestOnlyWhatHappenedIsKept: intents whose calls never began are not.
func TestOnlyWhatHappenedIsKept(t *testing.T) {
	for _, row := range []struct {
		name  string
		then  func(l *Lease) error // after an intent was refused
		files int
		want  string
	}{
		{"an intent", func(*Lease) error { return nil }, 0, "domain.d0 / "},
		{"another intent", func(l *Lease) error { return l.Intend(context.Background(), []state.Intent{intent(5)}) }, 0, "domain.d0 / "},
		// The first may be stored all the same, so what comes after it needs it.
		{"then a call ends", func(l *Lease) error { return l.Record(context.Background(), []state.Outcome{done(6)}) }, 2, "domain.d0 domain.d6 / op-4"},
		{"then a note", func(l *Lease) error { return l.Note(context.Background(), state.Note{Allowance: "1"}) }, 2, "domain.d0 / op-4"},
	} {
		t.Run(row.name, func(t *testing.T) {
			x := newMachine(t, false)
			l := x.acquire("run-1")
			record(t, l, 0, 1)
			x.f.spoil(journalFault(denied, false), nil)
			if err := l.Intend(t.Context(), []state.Intent{intent(4)}); !errors.Is(err, ErrDenied) || errors.As(err, new(*KeptError)) {
				t.Fatalf("got %v, want ErrDenied alone", err)
			}
			err := row.then(l)
			if got := errors.As(err, new(*KeptError)); got != (row.files > 0) {
				t.Errorf("kept %v: %v", got, err)
			}
			if n := len(x.files()); n != row.files {
				t.Errorf("%d files, want %d", n, row.files)
			}
			_ = l.Release(context.Background())
			x.f.spoil(nil, nil)
			release(t, x.acquire("run-2"))
			x.want("after", row.want)
			if left := x.files(); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
		})
	}
}

// TestTheQueueIsKept: what waited behind the slot that failed, and what calls in flight returned later.
func TestTheQueueIsKept(t *testing.T) {
	x := newMachine(t, true)
	l := x.acquire("run-1")
	gate := make(chan struct{})
	x.f.spoil(journalFault(func(o op) error { <-gate; return denied(o) }, false), nil)
	var wg sync.WaitGroup
	errs := make(chan error, 1000)
	add := func(n int, what func() error) {
		wg.Go(func() { errs <- what() })
		for {
			l.mu.Lock()
			queued := len(l.queue)
			l.mu.Unlock()
			if queued == n {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
	bulk := func(from, to int) func() error {
		var all []state.Outcome
		for i := from; i < to; i++ {
			all = append(all, done(i))
		}
		return func() error { return l.Record(context.Background(), all) }
	}
	wg.Go(func() { errs <- bulk(0, 250)() })
	for l.busy() != 50 { // the rest of the first, while its first slot is on the way
		time.Sleep(time.Millisecond)
	}
	add(2, func() error { return l.Intend(context.Background(), []state.Intent{intent(1000)}) })
	add(3, bulk(250, 500))
	close(gate)
	wg.Wait()
	if err := bulk(500, 501)(); !errors.As(err, new(*KeptError)) {
		t.Errorf("late: %v", err)
	}
	for range 3 {
		if err := <-errs; !errors.As(err, new(*KeptError)) {
			t.Errorf("got %v, want a KeptError", err)
		}
	}
	if n := len(x.files()); n != 4 {
		t.Errorf("%d files, want 4: 200, 200, 100 and 1 entries", n)
	}
	_ = l.Release(context.Background())
	x.f.spoil(nil, nil)
	s, err := x.tenant().State(t.Context())
	if err != nil || len(s.Objects) != 501 || len(s.InDoubt) != 0 {
		t.Errorf("read: %d objects, %d in doubt, want 501 and 0 (%v)", len(s.Objects), len(s.InDoubt), err)
	}
	release(t, x.acquire("run-2"))
	s, err = x.elsewhere().tenant().State(t.Context())
	if err != nil || len(s.Objects) != 501 || len(s.InDoubt) != 0 {
		t.Errorf("stored: %d objects, %d in doubt, want 501 and 0 (%v)", len(s.Objects), len(s.InDoubt), err)
	}
	if left := x.files(); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// busy is the number of entries in the queue.
func (l *Lease) busy() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, q := range l.queue {
		n += len(q.entries)
	}
	return n
}

// TestAnotherRunWasFaster: what is kept settles what is still in doubt, and the rest is dropped.
func TestAnotherRunWasFaster(t *testing.T) {
	for _, encrypted := range []bool{false, true} {
		for _, row := range []struct {
			name string
			run2 func(l *Lease) error
			want string
			told string
		}{
			{"it did nothing", func(*Lease) error { return nil }, settled, "of 2 changes, 1 were still in doubt"},
			{"it settled it", func(l *Lease) error {
				gone := done(2)
				gone.Object, gone.Result = nil, state.Failed
				return l.Record(context.Background(), []state.Outcome{gone})
			}, "domain.d0 / op-3", "of 2 changes, 0 were still in doubt"},
			{"it gave the object another name", func(l *Lease) error {
				return l.Note(context.Background(), state.Note{Moved: []state.Rename{{From: "domain.d2", To: "domain.new"}}})
			}, "domain.d0 / op-2 op-3", "0 were still in doubt"},
			{"it made new keys", func(l *Lease) error {
				if !encrypted {
					return nil
				}
				return l.Rekey(context.Background(), true)
			}, settled, "1 were still in doubt"},
		} {
			t.Run(fmt.Sprintf("%s, encrypted %v", row.name, encrypted), func(t *testing.T) {
				x := newMachine(t, encrypted)
				_ = x.stopped(journalFault(away, true), nil)
				other := x.elsewhere()
				l := other.acquire("run-2")
				if err := row.run2(l); err != nil {
					t.Fatal(err)
				}
				release(t, l)
				release(t, x.acquire("run-3"))
				if !x.said(row.told) {
					t.Errorf("told %q, want %q", x.told, row.told)
				}
				other.want("after", row.want)
				if left := x.files(); len(left) > 0 {
					t.Errorf("left: %q", left)
				}
				audited(t, other.tenant())
			})
		}
	}
}

// TestKeptByARunThatWasRobbed: the seal of another run is in the slot's place.
func TestKeptByARunThatWasRobbed(t *testing.T) {
	x := newMachine(t, false)
	l := x.acquire("run-1")
	record(t, l, 0, 1)
	if err := l.Intend(t.Context(), []state.Intent{intent(2), intent(3)}); err != nil {
		t.Fatal(err)
	}
	other := x.elsewhere()
	second := other.acquire("run-2")
	if err := l.Record(context.Background(), []state.Outcome{done(2), done(9)}); !errors.Is(err, ErrLost) || !errors.As(err, new(*KeptError)) {
		t.Fatalf("got %v, want ErrLost and kept", err)
	}
	release(t, second)
	release(t, x.acquire("run-3"))
	other.want("after", settled)
}

// TestAnotherPastIsNotContinued: after an older copy was restored and gone on from, the number is free and the holder
// before had the same epoch, and yet the slot is not the journal's.
func TestAnotherPastIsNotContinued(t *testing.T) {
	for _, restored := range []bool{false, true} {
		t.Run(fmt.Sprintf("restored %v", restored), func(t *testing.T) {
			x := newMachine(t, false)
			release(t, x.acquire("run-0"))
			copied := maps.Clone(x.m.objects)
			l := x.acquire("run-1")
			record(t, l, 1, 2)
			x.f.spoil(journalFault(denied, false), nil)
			_ = l.Record(context.Background(), []state.Outcome{done(2)})
			_ = l.Release(context.Background())
			x.f.spoil(nil, nil)
			want := "domain.d1 domain.d2 / "
			if restored {
				x.m.objects = copied
				other := x.elsewhere()
				l := other.acquire("run-1b")
				record(t, l, 5, 6)
				release(t, l)
				want = "domain.d5 / "
			}
			x.want("read", want)
			release(t, x.acquire("run-3"))
			x.want("after", want)
		})
	}
}

// TestTheOutageGoesOn: what could not be taken up stays.
func TestTheOutageGoesOn(t *testing.T) {
	x := newMachine(t, false)
	_ = x.stopped(away, nil)
	for _, fault := range []func(op) error{away, journalFault(away, true), journalFault(denied, false), journalFault(away, false)} {
		x.f.spoil(fault, nil)
		stop := x.c.run(5 * time.Second)
		if l, err := x.try("run-2"); err == nil {
			t.Fatalf("it was taken: %v", l.Run())
		}
		stop()
		x.f.spoil(nil, nil)
		if len(x.files()) != 1 {
			t.Fatal("it is gone")
		}
	}
	release(t, x.acquire("run-3"))
	x.elsewhere().want("after", with)
}

// TestTheFolderIsOfNoUse: then the run says both.
func TestTheFolderIsOfNoUse(t *testing.T) {
	x := newMachine(t, false)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	target := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(target, link); err != nil {
		t.Skip(err)
	}
	for _, dir := range []string{filepath.Join(file, "spool"), link} {
		x := *x
		x.m = NewMem().(*mem)
		x.f = &faulty{Store: x.m}
		x.dir = dir
		err := x.stopped(journalFault(denied, false), nil)
		if errors.As(err, new(*KeptError)) || !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), "could not be kept on this machine either") {
			t.Errorf("%s: %v", dir, err)
		}
		release(t, x.acquire("run-2"))
	}
	if all, err := os.ReadDir(target); err != nil || len(all) > 0 {
		t.Errorf("it followed a link: %v, %v", all, err)
	}
}

// TestSpoiledFiles stay, are told, and stop nobody.
func TestSpoiledFiles(t *testing.T) {
	for _, encrypted := range []bool{false, true} {
		x := newMachine(t, encrypted)
		_ = x.stopped(journalFault(away, true), nil)
		name := x.files()[0]
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		base := maps.Clone(x.m.objects)
		rows := map[string]struct {
			name string // "": as it was
			body []byte // nil: a link
			fits bool
		}{
			"as it was":                   {body: body, fits: true},
			"empty":                       {body: []byte{}},
			"another slot":                {name: strings.Replace(name, "-0000000004-", "-0000000005-", 1), body: body},
			"no slot":                     {name: strings.Replace(name, "-0000000004-", "-x-", 1), body: body},
			"a negative slot":             {name: strings.Replace(name, "-0000000004-", "--4-", 1), body: body},
			"no nonce":                    {name: name[:strings.LastIndex(name, "-")], body: body},
			"a link":                      {},
			"a name that nobody can read": {name: name + " ", body: body},
		}
		step := 17
		if long() {
			step = 1
		}
		for i := 0; i < len(body); i += step {
			flipped := bytes.Clone(body)
			flipped[i] ^= 1
			rows[fmt.Sprintf("byte %d", i)] = struct {
				name string
				body []byte
				fits bool
			}{body: flipped}
		}
		for what, row := range rows {
			t.Run(fmt.Sprintf("%s, encrypted %v", what, encrypted), func(t *testing.T) {
				y := *x
				y.t = t
				y.m = &mem{objects: maps.Clone(base)}
				y.f = &faulty{Store: y.m}
				y.dir = t.TempDir()
				path := filepath.Join(y.dir, filepath.Base(name))
				if row.name != "" {
					path = filepath.Join(y.dir, filepath.Base(row.name))
				}
				if row.body == nil {
					err = os.Symlink(name, path)
				} else {
					err = os.WriteFile(path, row.body, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
				want := without
				if row.fits {
					want = with
				}
				y.want("read", want)
				release(t, y.acquire("run-2"))
				y.want("after", want)
				if got := len(y.files()); row.fits != (got == 0) {
					t.Errorf("%d files", got)
				}
				if y.said("cannot be used and stays where it is") == row.fits {
					t.Errorf("told %q", y.told)
				}
			})
		}
	}
}

// FuzzSpooled: whatever lies in the folder, the tenant is taken, and what was durable is there.
func FuzzSpooled(f *testing.F) {
	m := NewMem().(*mem)
	b := NewBucket(m, Options{Clock: newFakeClock()})
	tn, err := b.Tenant("contoso")
	if err != nil {
		f.Fatal(err)
	}
	l, err := tn.Acquire(f.Context(), Holder{Run: "run-1"}, options())
	if err != nil {
		f.Fatal(err)
	}
	lineage := l.State().Lineage
	if err := l.Record(f.Context(), []state.Outcome{done(0)}); err != nil {
		f.Fatal(err)
	}
	_, fits, err := l.encodeSlot(l.next(), []state.Entry{{Outcome: ptr(done(1))}, {Intent: ptr(intent(2))}})
	if err != nil {
		f.Fatal(err)
	}
	_, taken, err := l.encodeSlot(l.next()-1, []state.Entry{{Outcome: ptr(done(1))}})
	if err != nil {
		f.Fatal(err)
	}
	if err := l.Release(f.Context()); err != nil {
		f.Fatal(err)
	}
	base := maps.Clone(m.objects)
	for _, body := range [][]byte{fits, taken, m.objects[tn.slotKey(1)], m.objects[tn.headKey()]} {
		f.Add("-0000000003-00", body)
		f.Add("-0000000002-00", body)
		if _, payload, err := cut("", body); err == nil {
			f.Add("-0000000003-00", payload)
		}
	}
	f.Fuzz(func(t *testing.T, name string, body []byte) {
		dir := t.TempDir()
		// A digest that fits lets the fuzzer get to what is behind it.
		for i, body := range [][]byte{body, wrap(tn.slotKey(3), body), wrap(tn.slotKey(2), body)} {
			if n := lineage + name + fmt.Sprint(i); validKey(n) && !strings.Contains(n, "/") && len(n) < 200 {
				if err := os.WriteFile(filepath.Join(dir, n), body, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		tn, err := NewBucket(&mem{objects: maps.Clone(base)}, Options{Clock: newFakeClock(), Spool: dir}).Tenant("contoso")
		if err != nil {
			t.Fatal(err)
		}
		l, err := tn.Acquire(t.Context(), Holder{Run: "run-2"}, options())
		if err != nil {
			t.Fatal(err)
		}
		if l.State().Objects["domain.d0"] == nil && !bytes.Contains(body, []byte("\x28\xb5\x2f\xfd")) {
			t.Error("what was durable is gone")
		}
		if err := l.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}
