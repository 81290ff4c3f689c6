package keys

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"
)

const goodPassphrase = "correct horse battery staple"

// quick stands in for scrypt, which takes a second under the race detector. The
// frozen files of testdata go through the real one.
func quick(password, salt []byte, n, r, p, size int) ([]byte, error) {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(password))))
	h.Write(password)
	h.Write(salt)
	_, _ = fmt.Fprintf(h, "%d %d %d", n, r, p)
	return h.Sum(nil)[:size], nil
}

func ring(t testing.TB, o Options) *Ring {
	t.Helper()
	r, err := newRing(t.Context(), o, deps{derive: quick, open: openKeeper})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// pair is a recipient and its identity.
func pair(t testing.TB) (string, string) {
	t.Helper()
	i, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return i.Recipient().String(), i.String()
}

func hybridPair(t testing.TB) (string, string) {
	t.Helper()
	i, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return i.Recipient().String(), i.String()
}

func localKeeper(seed string) string {
	sum := sha256.Sum256([]byte(seed))
	return "base64key://" + base64.URLEncoding.EncodeToString(sum[:])
}

// kinds are settings of each kind, made anew.
func kinds(t testing.TB) map[string]Settings {
	t.Helper()
	recipient, identity := pair(t)
	hybrid, hybridIdentity := hybridPair(t)
	return map[string]Settings{
		"passphrase": {Passphrase: goodPassphrase},
		"age":        {Recipients: []string{recipient}, Identities: []string{identity}},
		"hybrid":     {Recipients: []string{hybrid}, Identities: []string{hybridIdentity}},
		"keeper":     {Keeper: localKeeper("ours")},
	}
}

func mustMake(t testing.TB, r *Ring, subject string) (*DataKey, []Wrap) {
	t.Helper()
	k, wraps, err := r.Make(t.Context(), subject)
	if err != nil {
		t.Fatal(err)
	}
	return k, stored(t, wraps)
}

// stored sends wraps through their stored form.
func stored(t testing.TB, wraps []Wrap) []Wrap {
	t.Helper()
	b, err := json.Marshal(wraps)
	if err != nil {
		t.Fatal(err)
	}
	var out []Wrap
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func sameKey(t testing.TB, a, b *DataKey) {
	t.Helper()
	if a.id != b.id || a.key != b.key {
		t.Fatalf("another key: %s, want %s", b, a)
	}
}

func TestMakeAndOpen(t *testing.T) {
	for name, s := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			k, wraps := mustMake(t, ring(t, Options{Current: s}), "tenant contoso")
			if len(wraps) != 1 || wraps[0].Escrow {
				t.Fatalf("wraps %+v", wraps)
			}
			// Another process.
			r := ring(t, Options{Current: s})
			got, err := r.Open(t.Context(), "tenant contoso", k.ID(), wraps)
			if err != nil {
				t.Fatal(err)
			}
			sameKey(t, k, got)
			if !r.Fresh(wraps) {
				t.Error("what was just made is not fresh")
			}
			for _, other := range []struct{ subject, id string }{{"tenant fabrikam", k.ID()}, {"tenant contoso", "0123456789abcdef"}} {
				if _, err := r.Open(t.Context(), other.subject, other.id, wraps); !errors.Is(err, ErrDamaged) {
					t.Errorf("opened for %s, %s: %v", other.subject, other.id, err)
				}
			}
		})
	}
}

func TestKeysDiffer(t *testing.T) {
	r := ring(t, Options{Current: Settings{Passphrase: goodPassphrase}})
	a, _ := mustMake(t, r, "s")
	b, _ := mustMake(t, r, "s")
	if a.id == b.id || a.key == b.key {
		t.Error("two keys are the same")
	}
}

func TestAnotherSettingOpensNothing(t *testing.T) {
	ours, theirs := kinds(t), kinds(t)
	theirs["passphrase"] = Settings{Passphrase: "another horse battery staple"}
	theirs["keeper"] = Settings{Keeper: localKeeper("theirs")}
	for name, s := range ours {
		k, wraps := mustMake(t, ring(t, Options{Current: s}), "s")
		for other, o := range theirs {
			t.Run(name+" by "+other, func(t *testing.T) {
				r := ring(t, Options{Current: o})
				_, err := r.Open(t.Context(), "s", k.ID(), wraps)
				if !errors.Is(err, ErrWrongKey) {
					t.Fatalf("error %v, want ErrWrongKey", err)
				}
				if !strings.Contains(err.Error(), wraps[0].Method) {
					t.Errorf("%q does not say what protects it", err)
				}
				if r.Fresh(wraps) {
					t.Error("a foreign wrap is fresh")
				}
				// The twin: with the right setting among the previous ones it opens.
				got, err := ring(t, Options{Current: o, Previous: []Settings{s}}).Open(t.Context(), "s", k.ID(), wraps)
				if err != nil {
					t.Fatal(err)
				}
				sameKey(t, k, got)
			})
		}
	}
}

func TestRotation(t *testing.T) {
	old := Settings{Passphrase: goodPassphrase}
	recipient, identity := pair(t)
	k, wraps := mustMake(t, ring(t, Options{Current: old}), "s")
	r := ring(t, Options{Current: Settings{Recipients: []string{recipient}, Identities: []string{identity}}, Previous: []Settings{old}})
	got, err := r.Open(t.Context(), "s", k.ID(), wraps)
	if err != nil {
		t.Fatal(err)
	}
	if r.Fresh(wraps) {
		t.Error("wraps of the previous setting are fresh")
	}
	again, err := r.Wrap(t.Context(), got, "s")
	if err != nil {
		t.Fatal(err)
	}
	if !r.Fresh(again) {
		t.Error("the new wraps are not fresh")
	}
	if _, err := ring(t, Options{Current: old}).Open(t.Context(), "s", k.ID(), again); !errors.Is(err, ErrWrongKey) {
		t.Errorf("the previous setting opens the new wraps: %v", err)
	}
}

func TestEscrow(t *testing.T) {
	recipient, identity := pair(t)
	second, _ := pair(t)
	main := Settings{Passphrase: goodPassphrase}
	r := ring(t, Options{Current: main, Escrow: []Settings{{Recipients: []string{recipient, second}}, {Keeper: localKeeper("vault")}}})
	k, wraps := mustMake(t, r, "s")
	if len(wraps) != 3 || wraps[0].Escrow || !wraps[1].Escrow || !wraps[2].Escrow {
		t.Fatalf("wraps %+v", wraps)
	}
	if !r.Fresh(wraps) || !r.Fresh([]Wrap{wraps[2], wraps[0], wraps[1]}) {
		t.Error("not fresh")
	}
	for name, stale := range map[string][]Wrap{
		"one missing": wraps[:2], "one twice": {wraps[0], wraps[1], wraps[1]}, "none": nil,
	} {
		if r.Fresh(stale) {
			t.Errorf("%s: fresh", name)
		}
	}
	wrong := Settings{Passphrase: "a passphrase that is wrong"}
	for name, o := range map[string]Options{
		"the escrow's identity alone": {Current: Settings{Recipients: []string{recipient}, Identities: []string{identity}}},
		"identities with the escrow":  {Current: wrong, Escrow: []Settings{{Recipients: []string{recipient, second}, Identities: []string{identity}}}},
		"the keeper as previous":      {Current: wrong, Previous: []Settings{{Keeper: localKeeper("vault")}}},
	} {
		got, err := ring(t, o).Open(t.Context(), "s", k.ID(), wraps)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		sameKey(t, k, got)
	}
	for name, o := range map[string]Options{
		"recipients without identities": {Current: wrong, Escrow: []Settings{{Recipients: []string{recipient}}}},
		"a keeper that is an escrow":    {Current: wrong, Escrow: []Settings{{Keeper: localKeeper("vault")}}},
	} {
		if _, err := ring(t, o).Open(t.Context(), "s", k.ID(), wraps); !errors.Is(err, ErrWrongKey) {
			t.Errorf("%s: error %v, want ErrWrongKey", name, err)
		}
	}
}

func TestFreshFollowsRecipients(t *testing.T) {
	a, identity := pair(t)
	b, _ := pair(t)
	with := func(recipients ...string) *Ring {
		return ring(t, Options{Current: Settings{Recipients: recipients, Identities: []string{identity}}})
	}
	_, wraps := mustMake(t, with(a, b), "s")
	if !with(b, a, b).Fresh(wraps) {
		t.Error("the order of recipients matters")
	}
	if with(a).Fresh(wraps) {
		t.Error("a recipient was taken away and nothing is due")
	}
}

// One derivation serves a ring, whoever made the wraps; more only for more salts.
func TestDerivations(t *testing.T) {
	var mu sync.Mutex
	n := 0
	count := deps{open: openKeeper, derive: func(password, salt []byte, cost, r, p, size int) ([]byte, error) {
		mu.Lock()
		n++
		mu.Unlock()
		return quick(password, salt, cost, r, p, size)
	}}
	open := func(o Options) *Ring {
		r, err := newRing(t.Context(), o, count)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	o := Options{Current: Settings{Passphrase: goodPassphrase}}
	maker := open(o)
	ids, wraps := make([]string, 20), make([][]Wrap, 20)
	for i := range wraps {
		k, w := mustMake(t, maker, fmt.Sprint(i))
		ids[i], wraps[i] = k.ID(), w
	}
	if n != 1 {
		t.Errorf("%d derivations to make 20 keys", n)
	}
	n = 0
	reader := open(o)
	var wg sync.WaitGroup
	for i := range wraps {
		wg.Go(func() {
			if _, err := reader.Open(t.Context(), fmt.Sprint(i), ids[i], wraps[i]); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, w := mustMake(t, reader, "new"); !bytes.Equal(w[0].Scrypt.Salt, wraps[0][0].Scrypt.Salt) {
		t.Error("a new wrap has a salt of its own")
	}
	if n != 1 {
		t.Errorf("%d derivations to open 20 keys and make one", n)
	}
	if _, w := mustMake(t, open(o), "other"); bytes.Equal(w[0].Scrypt.Salt, wraps[0][0].Scrypt.Salt) {
		t.Error("two rings made the same salt")
	}
}

// planted is a key service that fails in a chosen way.
type planted struct {
	service
	decrypt func([]byte) ([]byte, error)
}

func (p planted) Decrypt(ctx context.Context, b []byte) ([]byte, error) {
	if p.decrypt == nil {
		return p.service.Decrypt(ctx, b)
	}
	return p.decrypt(b)
}

func TestKeeperThatCannotDecrypt(t *testing.T) {
	away := errors.New("planted: no right to decrypt")
	tests := map[string]struct {
		decrypt func([]byte) ([]byte, error)
		want    error
	}{
		"refuses":        {func([]byte) ([]byte, error) { return nil, away }, away},
		"something else": {func([]byte) ([]byte, error) { return make([]byte, 64), nil }, ErrDamaged},
		"nothing":        {func([]byte) ([]byte, error) { return nil, nil }, ErrDamaged},
		"works":          {nil, nil},
	}
	for name, test := range tests {
		for _, o := range []Options{
			{Current: Settings{Keeper: localKeeper("k")}},
			{Current: Settings{Passphrase: goodPassphrase}, Escrow: []Settings{{Keeper: localKeeper("k")}}},
		} {
			r, err := newRing(t.Context(), o, deps{derive: quick, open: func(ctx context.Context, url string) (service, error) {
				s, err := openKeeper(ctx, url)
				return planted{s, test.decrypt}, err
			}})
			if err != nil {
				t.Fatal(err)
			}
			k, wraps, err := r.Make(t.Context(), "s")
			if !errors.Is(err, test.want) {
				t.Errorf("%s: error %v, want %v", name, err, test.want)
			}
			if (k == nil) != (test.want != nil) || (wraps == nil) != (test.want != nil) {
				t.Errorf("%s: a key and no key at once", name)
			}
		}
	}
}

// A service that is away is not a wrong key.
func TestKeeperAway(t *testing.T) {
	o := Options{Current: Settings{Keeper: "gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k"}}
	up := true
	r, err := newRing(t.Context(), o, deps{derive: quick, open: func(ctx context.Context, _ string) (service, error) {
		s, err := openKeeper(ctx, localKeeper("k"))
		return planted{s, func(b []byte) ([]byte, error) {
			if !up {
				return nil, errors.New("planted: connection refused")
			}
			return s.Decrypt(ctx, b)
		}}, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	k, wraps := mustMake(t, r, "s")
	up = false
	if _, err := r.Open(t.Context(), "s", k.ID(), wraps); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrWrongKey) || errors.Is(err, ErrDamaged) {
		t.Errorf("error %v, want only ErrUnavailable", err)
	}
	up = true
	if _, err := r.Open(t.Context(), "s", k.ID(), wraps); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	up = false
	if _, err := r.Open(ctx, "s", k.ID(), wraps); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

func TestRandomnessFails(t *testing.T) {
	for n := range 3 {
		r := ring(t, Options{Current: Settings{Passphrase: goodPassphrase}, Random: bytes.NewReader(make([]byte, []int{0, 40, 56}[n]))})
		if _, _, err := r.Make(t.Context(), "s"); err == nil {
			t.Errorf("a key was made of too little randomness")
		}
	}
	r := ring(t, Options{Current: Settings{Passphrase: goodPassphrase}, Random: bytes.NewReader(make([]byte, 68))})
	if _, _, err := r.Make(t.Context(), "s"); err != nil {
		t.Error(err)
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, n := range []int{1, 200} {
		b.Run(fmt.Sprintf("%d tenants", n), func(b *testing.B) {
			o := Options{Current: Settings{Passphrase: goodPassphrase}}
			maker, err := New(b.Context(), o)
			if err != nil {
				b.Fatal(err)
			}
			ids, wraps := make([]string, n), make([][]Wrap, n)
			for i := range n {
				k, w := mustMake(b, maker, fmt.Sprint(i))
				ids[i], wraps[i] = k.ID(), w
			}
			for b.Loop() {
				r, err := New(b.Context(), o)
				if err != nil {
					b.Fatal(err)
				}
				for i := range n {
					if _, err := r.Open(b.Context(), fmt.Sprint(i), ids[i], wraps[i]); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
