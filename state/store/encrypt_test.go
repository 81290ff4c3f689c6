package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/state"
	"github.com/weir-project/weir/state/keys"
)

// Two keepers, which are quicker than passphrases and say nothing about them.
const (
	keeperA = "base64key://AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	keeperB = "base64key://ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
)

func ring(t testing.TB, current string, previous ...string) *keys.Ring {
	t.Helper()
	o := keys.Options{Current: keys.Settings{Keeper: current}}
	for _, p := range previous {
		o.Previous = append(o.Previous, keys.Settings{Keeper: p})
	}
	r, err := keys.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func locked(t testing.TB, s Store, c Clock, key string, o Options) *Tenant {
	t.Helper()
	o.Clock = c
	tn, err := NewBucket(s, o).Tenant(key)
	if err != nil {
		t.Fatal(err)
	}
	return tn
}

// TestEverythingWithKeys runs what must hold for any tenant over an encrypted one.
func TestEverythingWithKeys(t *testing.T) {
	testKeys = ring(t, keeperA)
	defer func() { testKeys = nil }()
	for name, test := range map[string]func(*testing.T){
		"main path": TestMainPath, "history": TestHistory, "a dead run": TestHistoryOfADeadRun, "replace": TestReplace,
		"unlock": TestUnlock, "collect": TestCollect, "purge": TestPurge, "crash anywhere": TestCrashAnywhere,
		"lost answers": TestLostAnswers, "takeover": TestADeadHolderIsTakenOverAndClosedOut, "many entries": TestManyEntries,
		"a reader beside a holder": TestAReaderBesideAHolder,
	} {
		t.Run(name, test)
	}
}

func TestNothingReadableIsStored(t *testing.T) {
	for _, encrypted := range []bool{true, false} {
		t.Run(fmt.Sprintf("encrypted %v", encrypted), func(t *testing.T) {
			m := NewMem().(*mem)
			o := Options{}
			if encrypted {
				o.Keys = ring(t, keeperA)
			}
			tn := locked(t, m, newFakeClock(), "contoso", o)
			l := acquire(t, tn, "run-1")
			account := &state.Account{Address: "canary.person@contoso.example", Ownership: state.Created}
			if err := l.Record(t.Context(), []state.Outcome{{Op: "1", Address: "sync_policy.p", Mail: account.Address, Type: "account", Action: "create", Result: state.Done, Account: account}}); err != nil {
				t.Fatal(err)
			}
			if err := l.Checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
			release(t, l)
			if err := putBlob(t.Context(), tn, "cache", []byte("canary.person@contoso.example")); err != nil {
				t.Fatal(err)
			}
			found := 0
			for key, body := range m.objects {
				readable := body
				if l, payload, err := cut(key, body); err == nil && l.method == methodPlain {
					if raw, err := state.Unpacked(payload); err == nil {
						readable = raw
					}
				} else if l.method != methodSealed && !strings.HasSuffix(key, "/head") {
					t.Errorf("%s: method %q", key, l.method)
				}
				if bytes.Contains(readable, []byte("canary.person")) {
					found++
				}
			}
			if encrypted && found > 0 || !encrypted && found < 4 {
				t.Errorf("%d objects show the person's address", found)
			}
			if got, err := getBlob(t.Context(), tn, "cache"); err != nil || string(got) != account.Address {
				t.Errorf("blob: %q, %v", got, err)
			}
			if s, err := tn.State(t.Context()); err != nil || s.Accounts.Get(account.Address) == nil {
				t.Errorf("state: %v", err)
			}
		})
	}
}

// TestKeysThatDoNotFit: nothing is written, and with the right ones it goes on.
func TestKeysThatDoNotFit(t *testing.T) {
	for _, row := range []struct {
		name string
		made Options // what the bucket was written with
		with Options // what comes now
		key  string
		want error // nil: it works
	}{
		{"the same", Options{Keys: ring(t, keeperA)}, Options{Keys: ring(t, keeperA)}, "contoso", nil},
		{"another", Options{Keys: ring(t, keeperA)}, Options{Keys: ring(t, keeperB)}, "contoso", keys.ErrWrongKey},
		{"none", Options{Keys: ring(t, keeperA)}, Options{}, "contoso", ErrEncrypted},
		{"previous", Options{Keys: ring(t, keeperA)}, Options{Keys: ring(t, keeperB, keeperA)}, "contoso", nil},
		{"for plaintext", Options{}, Options{Keys: ring(t, keeperA)}, "contoso", ErrPlaintext},
		{"for plaintext, asked to", Options{}, Options{Keys: ring(t, keeperA), FromPlaintext: true}, "contoso", nil},
		{"none for plaintext", Options{}, Options{}, "contoso", nil},
		{"another for a new tenant", Options{Keys: ring(t, keeperA)}, Options{Keys: ring(t, keeperB)}, "fabrikam", keys.ErrWrongKey},
		{"none for a new tenant", Options{Keys: ring(t, keeperA)}, Options{}, "fabrikam", ErrEncrypted},
		{"for a new tenant beside plaintext", Options{}, Options{Keys: ring(t, keeperA)}, "fabrikam", ErrPlaintext},
		{"the same for a new tenant", Options{Keys: ring(t, keeperA)}, Options{Keys: ring(t, keeperA)}, "fabrikam", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := NewMem().(*mem)
			changed(t, locked(t, m, newFakeClock(), "contoso", row.made), "run-1", 0, 3)
			before := maps.Clone(m.objects)
			f := &faulty{Store: m}
			tn := locked(t, f, newFakeClock(), row.key, row.with)
			l, err := tn.Acquire(t.Context(), Holder{Run: "run-2"}, options())
			if !errors.Is(err, row.want) || (err == nil) != (row.want == nil) {
				t.Fatalf("got %v, want %v", err, row.want)
			}
			if err == nil {
				record(t, l, 5, 6)
				release(t, l)
				return
			}
			if row.key == "contoso" {
				if _, err := tn.State(t.Context()); !errors.Is(err, row.want) {
					t.Errorf("reading: got %v, want %v", err, row.want)
				}
			}
			if n := f.writes(); n != 0 || !maps.EqualFunc(before, m.objects, bytes.Equal) {
				t.Errorf("%d writes", n)
			}
		})
	}
}

// TestForeignAndPlainObjectsAreRefused: an encrypted tenant takes nothing that
// somebody without the key put there.
func TestForeignAndPlainObjectsAreRefused(t *testing.T) {
	base := NewMem().(*mem)
	r := ring(t, keeperA)
	for _, key := range []string{"contoso", "fabrikam"} {
		tn := locked(t, base, newFakeClock(), key, Options{Keys: r})
		l := acquire(t, tn, "run-1")
		record(t, l, 0, 2)
		if err := l.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		record(t, l, 2, 3)
		release(t, l)
	}
	var own []string
	for key := range base.objects {
		if strings.HasPrefix(key, "t/contoso/") {
			own = append(own, key)
		}
	}
	slices.Sort(own)
	h, _, err := locked(t, base, newFakeClock(), "contoso", Options{Keys: r}).head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range own {
		needed := strings.HasSuffix(key, "/head") || strings.HasPrefix(key, "t/contoso/"+h.Checkpoint.Manifest) ||
			key >= fmt.Sprintf("t/contoso/log/%010d", h.Base) && strings.Contains(key, "/log/")
		if !needed {
			continue
		}
		for what, spoil := range map[string]func(m *mem){
			"forged in plaintext": func(m *mem) {
				_, payload, err := cut(key, m.objects[key])
				if err != nil {
					t.Fatal(err)
				}
				m.objects[key] = wrap(key, payload)
			},
			"of another tenant": func(m *mem) {
				for other, body := range m.objects {
					if strings.HasPrefix(other, "t/fabrikam/") && strings.Count(other, "/") == strings.Count(key, "/") &&
						strings.Split(other, "/")[2] == strings.Split(key, "/")[2] {
						m.objects[key] = body
					}
				}
			},
			"a byte changed at the end": func(m *mem) { m.objects[key][len(m.objects[key])-1] ^= 1 },
			"cut off":                   func(m *mem) { m.objects[key] = m.objects[key][:len(m.objects[key])-1] },
		} {
			t.Run(what+" "+key, func(t *testing.T) {
				m := &mem{objects: maps.Clone(base.objects)}
				m.objects[key] = bytes.Clone(m.objects[key])
				spoil(m)
				before := maps.Clone(m.objects)
				tn := locked(t, m, newFakeClock(), "contoso", Options{Keys: r})
				if _, err := tn.Acquire(t.Context(), Holder{Run: "run-2"}, options()); err == nil {
					t.Error("it was taken")
				}
				if !maps.EqualFunc(before, m.objects, bytes.Equal) {
					t.Error("something was written")
				}
			})
		}
	}
}

// TestForgedHead: whoever can write the bucket but has no key cannot make a head, not even with a digest that fits.
func TestForgedHead(t *testing.T) {
	m := NewMem().(*mem)
	r := ring(t, keeperA)
	changed(t, locked(t, m, newFakeClock(), "contoso", Options{Keys: r}), "run-1", 0, 2)
	const key = "t/contoso/head"
	l, payload, err := cut(key, m.objects[key])
	if err != nil {
		t.Fatal(err)
	}
	forged := bytes.Replace(payload, []byte(`"realm":"live"`), []byte(`"realm":"Live"`), 1)
	if bytes.Equal(forged, payload) {
		t.Fatal("the head has no such realm")
	}
	m.objects[key] = append(fmt.Appendf(nil, "%s %s %s %s %s\n", magic, methodSigned, payloadDigest(methodSigned, key, forged), l.words[1], l.words[2]), forged...)
	if _, err := locked(t, m, newFakeClock(), "contoso", Options{Keys: r}).State(t.Context()); !errors.Is(err, state.ErrDamaged) {
		t.Errorf("got %v, want ErrDamaged", err)
	}
	m.objects[key] = append([]byte(l.text+"\n"), payload...)
	if _, err := locked(t, m, newFakeClock(), "contoso", Options{Keys: r}).State(t.Context()); err != nil {
		t.Errorf("as it was: %v", err)
	}
}

func TestRekey(t *testing.T) {
	a, b := ring(t, keeperA), ring(t, keeperB)
	both := ring(t, keeperB, keeperA)
	for _, fresh := range []bool{false, true} {
		t.Run(fmt.Sprintf("fresh %v", fresh), func(t *testing.T) {
			m := NewMem().(*mem)
			c := newFakeClock()
			changed(t, locked(t, m, c, "contoso", Options{Keys: a}), "run-1", 0, 3)
			tn := locked(t, m, c, "contoso", Options{Keys: both})
			if p, err := tn.Protection(t.Context()); err != nil || !p.Encrypted || p.Fresh {
				t.Errorf("before: %+v, %v", p, err)
			}
			l := acquire(t, tn, "rekey")
			if err := l.Rekey(t.Context(), fresh); err != nil {
				t.Fatal(err)
			}
			record(t, l, 3, 4)
			release(t, l)
			tn = locked(t, m, c, "contoso", Options{Keys: b})
			p, err := tn.Protection(t.Context())
			want := KeyStatus{Encrypted: true, Fresh: true, Keys: 1}
			if fresh {
				want.Keys = 2
			}
			if err != nil || p != want {
				t.Errorf("after: %+v, %v, want %+v", p, err, want)
			}
			changed(t, tn, "run-2", 4, 5)
			if n := objects(t, tn); n != 5 {
				t.Errorf("%d objects, want 5", n)
			}
			if s, err := tn.At(t.Context(), 2); err != nil || len(s.Objects) != 3 {
				t.Errorf("the version before: %v", err)
			}
			audited(t, tn)
			if _, err := locked(t, m, c, "contoso", Options{Keys: a}).State(t.Context()); !errors.Is(err, keys.ErrWrongKey) {
				t.Errorf("the old setting alone: got %v, want ErrWrongKey", err)
			}
		})
	}
}

func TestEncryptWhatWasPlaintext(t *testing.T) {
	m := NewMem().(*mem)
	c := newFakeClock()
	changed(t, locked(t, m, c, "contoso", Options{}), "run-1", 0, 2)
	changed(t, locked(t, m, c, "contoso", Options{}), "run-2", 2, 3)
	r := ring(t, keeperA)
	l := acquire(t, locked(t, m, c, "contoso", Options{Keys: r, FromPlaintext: true}), "rekey")
	if err := l.Rekey(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	release(t, l)
	tn := locked(t, m, c, "contoso", Options{Keys: r})
	changed(t, tn, "run-3", 3, 4)
	if n := objects(t, tn); n != 4 {
		t.Errorf("%d objects, want 4", n)
	}
	for serial, n := range map[uint64]int{2: 2, 3: 3} {
		if s, err := tn.At(t.Context(), serial); err != nil || len(s.Objects) != n {
			t.Errorf("version %d, from before: %v, want %d objects", serial, err, n)
		}
	}
	audited(t, tn)
	if _, err := locked(t, m, c, "contoso", Options{}).State(t.Context()); !errors.Is(err, ErrEncrypted) {
		t.Errorf("without keys: got %v, want ErrEncrypted", err)
	}
	// A slot in plaintext counts only where the head says that they were.
	h, _, err := tn.head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if h.PlainBefore == 0 || h.PlainBefore > h.Base {
		t.Errorf("plaintext before slot %d, base %d", h.PlainBefore, h.Base)
	}
}

// TestRekeyThatFails leaves the old key, and the lease usable.
func TestRekeyThatFails(t *testing.T) {
	f := &faulty{Store: NewMem()}
	c := newFakeClock()
	a := ring(t, keeperA)
	tn := locked(t, f, c, "contoso", Options{Keys: a})
	changed(t, tn, "run-1", 0, 3)
	l := acquire(t, tn, "rekey")
	f.spoil(func(o op) error {
		if o.name == "Put" && strings.Contains(o.key, "/snap/") {
			return fail(o.key, ErrDenied, errors.New("read only"))
		}
		return nil
	}, nil)
	if err := l.Rekey(t.Context(), true); !errors.Is(err, ErrDenied) {
		t.Fatalf("got %v, want ErrDenied", err)
	}
	f.spoil(nil, nil)
	record(t, l, 3, 4)
	stop := c.run(time.Second)
	release(t, l)
	stop()
	if p, err := tn.Protection(t.Context()); err != nil || p.Keys != 1 {
		t.Errorf("after: %+v, %v", p, err)
	}
	if n := objects(t, tn); n != 4 {
		t.Errorf("%d objects, want 4", n)
	}
}
