package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/providers/sim"
	"github.com/weir-project/weir/providers/sim/world"
	"github.com/weir-project/weir/state"
	"github.com/weir-project/weir/state/store"
	"github.com/weir-project/weir/state/store/storetest"
)

var (
	update = flag.Bool("update", false, "write the list of points at which runs are killed")
	kills  = flag.Int("kills", 0, "how many runs TestRandomKills kills; WEIR_KILLS says it too")
	seed   = flag.Uint64("seed", 0, "where TestRandomKills begins; 0 is anywhere")
)

// storage is one kind of state storage that runs are killed on.
type storage struct {
	name string
	// keep makes the site keep its state there, each site in a place of its own.
	keep func(t *testing.T, s *site)
	// url is where it is then.
	url func(s *site) string
}

func files() storage {
	return storage{
		name: "folder",
		keep: func(*testing.T, *site) {},
		url:  func(s *site) string { return "file://" + filepath.Join(s.dir, ".weir", "state") },
	}
}

// azureAt is storage in the emulator at that connection.
func azureAt(t *testing.T, connection string) storage {
	return inPlace(t, storetest.Place{
		Name: "azure", URL: "azblob://weir-state", Env: map[string]string{"AZURE_STORAGE_CONNECTION_STRING": connection},
	})
}

// inPlace is storage behind a server.
func inPlace(t *testing.T, p storetest.Place) storage {
	p.Setenv(t) // for looking into it
	place := func(s *site) string {
		return p.Below(filepath.Base(filepath.Dir(s.dir)) + "-" + filepath.Base(s.dir) + "/")
	}
	return storage{
		name: p.Name,
		keep: func(_ *testing.T, s *site) {
			for name, value := range p.Env {
				s.env[name] = value
			}
			s.keepStateIn(place(s))
		},
		url: place,
	}
}

// history is what has happened before the run that is killed.
type history struct {
	name    string
	prepare func(s *site)
}

// histories are the runs that are killed: the first one of a new customer, and one that meets much to do.
var histories = []history{
	{"first", func(*site) {}},
	{"later", func(s *site) {
		const organization, tenant = `{"organization": "contoso.example", `, `{"tenant": "contoso.example", `
		s.write("spare.weir.hcl", spareDomain("spare"))
		s.weir(0, "apply", "--auto-approve")
		s.settle()
		// The secret is due for rotation.
		if err := s.server.SetClock(s.credential().End.AddDate(0, 0, -40)); err != nil {
			s.t.Fatal(err)
		}
		s.portal(
			tenant+`"person": "kate@contoso.example", "remove": true}`,
			tenant+`"person": "bob@contoso.example", "set": {"enabled": false}}`,
			tenant+`"person": "nora@contoso.example", "add": {}}`,
			tenant+`"outbound": "Outbound Connector for Proofpoint Essentials", "remove": true}`,
			organization+`"features": {"url_defense": false}}`,
			organization+`"domain": "contoso.example", "set": {"destination": "elsewhere.example"}}`,
		)
		s.write("spare.weir.hcl", spareDomain("another"))
	}},
}

func spareDomain(name string) string {
	return fmt.Sprintf("domain %[1]q {\n  tenant  = tenant.contoso\n  name    = \"%[1]s.contoso.example\"\n  purpose = \"management\"\n  verify  = false\n}\n", name)
}

// ready is the quick start at the point in its history at which a run is to be killed.
func ready(t *testing.T, in storage, h history) *site {
	t.Helper()
	s := newSite(t, "quickstart", world.Quickstart())
	in.keep(t, s)
	// Far longer than any test: the next run takes over because the other is certainly dead.
	s.env["WEIR_STATE_TTL"] = "10m"
	h.prepare(s)
	s.changes()
	return s
}

// good is what an undisturbed run leaves.
type good struct {
	world, list string
	made        map[string]int
}

// undisturbed runs it to its end, and returns what it leaves and the points that it passed.
func undisturbed(t *testing.T, in storage, h history) (good, []string) {
	t.Helper()
	s := ready(t, in, h)
	before := len(s.server.Changing())
	c := s.start(nil, "apply", "--auto-approve")
	if code := c.wait(); code != 0 {
		t.Fatalf("exit code %d\n%s", code, c.output.String())
	}
	g := good{world: s.lasting(), list: s.weir(0, "state", "list"), made: made(s.server.Changing()[before:])}
	if wrong := s.wrong(in, g, before); len(wrong) > 0 {
		t.Fatalf("after an undisturbed run: %s", strings.Join(wrong, "\n"))
	}
	return g, distinct(c.points())
}

// made counts the calls that made something, by what they made.
func made(entries []sim.Entry) map[string]int {
	out := map[string]int{}
	for _, e := range entries {
		creates := e.Method == "POST" && e.Vendor != sim.Exchange && !strings.HasSuffix(e.Path, "/removePassword") || strings.HasPrefix(e.Operation, "New-")
		if creates && e.Status/100 == 2 {
			out[fmt.Sprintf("%s %s %s", e.Operation, generated.ReplaceAllString(e.Path, "{id}"), e.Detail)]++
		}
	}
	return out
}

// wrong says what is not as an undisturbed run leaves it, after a run was killed and another repaired what it left.
// since is the number of changing calls before both.
func (s *site) wrong(in storage, want good, since int) []string {
	s.t.Helper()
	var wrong []string
	check := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	if _, err := s.lookCredential(); err != nil {
		wrong = append(wrong, err.Error())
	}
	got := s.lasting()
	check(got == want.world, "not the world that an undisturbed run leaves:\n%s", firstDifference(want.world, got))
	for what, n := range made(s.server.Changing()[since:]) {
		// A secret whose value died with the run is issued once more.
		check(n <= want.made[what] || strings.HasPrefix(what, "POST /applications/{id}/addPassword"), "made %d times, want %d: %s", n, want.made[what], what)
	}
	calls := len(s.server.Changing())
	look := func(when string) {
		code, out, progress := s.run("plan", "--detailed-exitcode")
		check(code == 0 && strings.Contains(out, "No changes"), "the plan %s is not empty: exit code %d\n%s\n%s", when, code, tail(out), tail(progress))
	}
	look("right after")
	if list := s.weir(0, "state", "list"); list != want.list {
		check(false, "state has:\n%s, want:\n%s", list, want.list)
	}
	doubts, err := s.doubts(in)
	check(err == nil && len(doubts) == 0, "in doubt: %q, %v", doubts, err)
	s.settle()
	look("later on")
	code, out, progress := s.run("drift")
	check(code == 0, "drift: exit code %d\n%s\n%s", code, tail(out), tail(progress))
	check(len(s.server.Changing()) == calls, "looking made %d changing calls", len(s.server.Changing())-calls)
	return wrong
}

// doubts are the operations that state has as begun and not ended.
func (s *site) doubts(in storage) ([]string, error) {
	bucket, err := store.OpenBucket(context.Background(), in.url(s), store.Options{})
	if err != nil {
		return nil, err
	}
	defer bucket.Close() //nolint:errcheck // it was only read
	tenants, err := bucket.Tenants(context.Background())
	var out []string
	for _, key := range tenants {
		tenant, terr := bucket.Tenant(key)
		if terr != nil {
			return nil, terr
		}
		now, serr := tenant.State(context.Background())
		if serr != nil {
			err = errors.Join(err, serr)
			continue
		}
		for _, d := range now.Doubts() {
			out = append(out, fmt.Sprintf("%s: %s %s %s", key, d.Action, d.Address, d.Mail))
		}
	}
	return out, err
}

// objects are all that is in storage, by key.
func (s *site) objects(in storage) map[string]string {
	s.t.Helper()
	ctx := context.Background()
	st, err := store.Open(ctx, in.url(s))
	if err != nil {
		s.t.Fatal(err)
	}
	out := map[string]string{}
	for item, err := range st.List(ctx, "") {
		if err != nil {
			s.t.Fatal(err)
		}
		body, _, err := st.Get(ctx, item.Key)
		if err != nil {
			s.t.Fatal(err)
		}
		out[item.Key] = string(body)
	}
	return out
}

// repaired fails the test unless one apply makes everything right.
func (s *site) repaired(in storage, want good, since int) {
	s.t.Helper()
	s.weir(0, "apply", "--auto-approve")
	for _, w := range s.wrong(in, want, since) {
		s.t.Error(w)
	}
}

// TestKilledAtEachPoint: `kill -9` at each named point of a run, each in a process of its own, then one plain apply. The
// vendors have nothing twice and nothing that state does not know, one credential, which is the one in use; nothing is in
// doubt and the second plan is empty.
func TestKilledAtEachPoint(t *testing.T) {
	stores := []struct {
		name string
		open func(t *testing.T) storage
		skip int // one of so many points is tried in the short form
	}{
		{"folder", func(*testing.T) storage { return files() }, 3},
	}
	for _, kind := range storetest.Kinds() {
		if kind.Name != "file" {
			stores = append(stores, struct {
				name string
				open func(t *testing.T) storage
				skip int
			}{kind.Name, func(t *testing.T) storage { return inPlace(t, kind.Start(t)) }, 10})
		}
	}
	total := 0
	for number, st := range stores {
		for _, h := range histories {
			t.Run(st.name+"/"+h.name, func(t *testing.T) {
				in := st.open(t)
				want, points := undisturbed(t, in, h)
				golden(t, h.name, points)
				chosen := points
				if n := st.skip * every; short() && n > 1 {
					chosen = nil
					for i, name := range points {
						if i%n == number%n {
							chosen = append(chosen, name)
						}
					}
				}
				total += len(chosen)
				each(t, chosen, func(t *testing.T, name string) {
					s := ready(t, in, h)
					since := len(s.server.Changing())
					if !s.killed(name, nil, "apply", "--auto-approve") {
						t.Fatal("the run came to its end and never got there")
					}
					s.repaired(in, want, since)
				})
			})
		}
	}
	t.Logf("%d runs killed", total)
}

// golden compares the points that a run passes with the list kept, so that one that is lost is seen.
func golden(t *testing.T, name string, points []string) {
	t.Helper()
	got := slices.Sorted(slices.Values(points))
	if len(got) < 40 {
		t.Fatalf("only %d points are passed, and 40 are the least:\n%s", len(got), strings.Join(got, "\n"))
	}
	file := filepath.Join("testdata", "points", name+".txt")
	text := strings.Join(got, "\n") + "\n"
	if *update {
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("the run passes other points than %s says; refresh with -update and read the difference:\n%s", file, firstDifference(string(want), text))
	}
}

// TestKilledElsewhere: a holder that may live on another machine cannot be proved dead. The next run waits until it has
// been silent for its time, and says so; a holder that is certainly dead keeps nobody waiting.
func TestKilledElsewhere(t *testing.T) {
	t.Parallel()
	in := files()
	want, _ := undisturbed(t, in, histories[0])
	for _, boot := range []string{"", "another-boot"} {
		for _, at := range []string{"contoso: head create: after", "contoso: journal intent create domain.mail: after", "vendor New-TransportRule: after", "contoso: journal done create tenant.contoso: after"} {
			t.Run(fmt.Sprintf("%s, boot %q", at, boot), func(t *testing.T) {
				t.Parallel()
				s := ready(t, in, histories[0])
				s.env["WEIR_STATE_TTL"] = "2s"
				if !s.killed(at, map[string]string{otherBoot: boot}, "apply", "--auto-approve") {
					t.Fatal("the run came to its end and never got there")
				}
				code, out, progress := s.run("apply", "--auto-approve")
				if code != 0 {
					t.Fatalf("exit code %d\n%s\n%s", code, out, progress)
				}
				if waited := strings.Contains(progress, "waiting"); waited != (boot != "") {
					t.Errorf("waited for the other: %t\n%s", waited, progress)
				}
				for _, w := range s.wrong(in, want, 0) {
					t.Error(w)
				}
			})
		}
	}
}

// TestWrongIsFound: what the tests of killed runs look for is found where it is planted.
func TestWrongIsFound(t *testing.T) {
	in := files()
	want, _ := undisturbed(t, in, histories[0])
	const organization, tenant = `{"organization": "contoso.example", `, `{"tenant": "contoso.example", `
	cases := []struct {
		name  string
		plant func(s *site)
		found string
	}{
		{"nothing", func(*site) {}, ""},
		{"an object too many", func(s *site) { s.portal(organization + `"domain": "twice.example", "add": {}}`) }, "not the world"},
		{"a setting lost", func(s *site) { s.portal(organization + `"features": {"url_defense": false}}`) }, "is not empty"},
		{"a secret lost", func(s *site) {
			s.portal(tenant + `"application": "Proofpoint Essentials Azure AD Sync", "secret": "` + s.credential().KeyID + `", "remove": true}`)
		}, "credential"},
		{"an object forgotten", func(s *site) {
			if err := os.RemoveAll(filepath.Join(s.dir, ".weir", "state")); err != nil {
				s.t.Fatal(err)
			}
		}, "state has"},
		{"something in doubt", func(s *site) { s.leaveInDoubt(in) }, "in doubt"},
		{"something made twice", func(s *site) {
			s.portal(organization + `"domain": "contoso.onmicrosoft.example", "remove": true}`)
			s.weir(0, "apply", "--auto-approve")
		}, "made 2 times"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := ready(t, in, histories[0])
			s.weir(0, "apply", "--auto-approve")
			c.plant(s)
			wrong := strings.Join(s.wrong(in, want, 0), "\n")
			if (wrong == "") != (c.found == "") || !strings.Contains(wrong, c.found) {
				t.Errorf("found %q, want %q", wrong, c.found)
			}
		})
	}
}

// leaveInDoubt leaves an operation as a run does that dies in it.
func (s *site) leaveInDoubt(in storage) {
	s.t.Helper()
	ctx := context.Background()
	bucket, err := store.OpenBucket(ctx, in.url(s), store.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	defer bucket.Close() //nolint:errcheck // what was written is looked at next
	tenant, err := bucket.Tenant("contoso")
	if err != nil {
		s.t.Fatal(err)
	}
	head, err := tenant.Head(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	lease, err := tenant.Acquire(ctx, store.Holder{Operation: "apply"}, store.AcquireOptions{Realm: head.Realm, Tenant: head.Tenant})
	if err != nil {
		s.t.Fatal(err)
	}
	intent := state.Intent{Op: "op-planted", Address: "domain.mail", Type: "domain", Action: "update", Time: time.Now()}
	if err := errors.Join(lease.Intend(ctx, []state.Intent{intent}), lease.Release(ctx)); err != nil {
		s.t.Fatal(err)
	}
}

// TestRandomKills kills runs at any moment, several in a row, and lets one repair what they left. It runs a few times
// unless -kills or WEIR_KILLS says how often; -seed repeats what an earlier run did at points, not what it did in time.
func TestRandomKills(t *testing.T) {
	n := *kills
	if text := os.Getenv("WEIR_KILLS"); n == 0 && text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	if n == 0 {
		n = max(1, 12/every)
	}
	from := *seed
	if from == 0 {
		from = rand.Uint64()
	}
	t.Logf("repeat with: go test ./cmd/weir -run TestRandomKills -kills %d -seed %d", n, from)
	in := files()
	wants := make([]good, len(histories))
	passed := make([]int, len(histories))
	for i, h := range histories {
		var points []string
		wants[i], points = undisturbed(t, in, h)
		passed[i] = len(points)
	}
	random := rand.New(rand.NewPCG(from, 0))
	for done, round := 0, 0; done < n; round++ {
		which, row := random.IntN(len(histories)), min(1+random.IntN(4), n-done)
		var at []int
		for range row {
			at = append(at, 1+random.IntN(passed[which]))
		}
		// Every second one is killed by the clock, wherever it is then.
		after := make([]time.Duration, row)
		for i := range after {
			if random.IntN(2) == 0 {
				after[i] = time.Duration(random.IntN(400)) * time.Millisecond
			}
		}
		done += row
		t.Run(fmt.Sprintf("%d %s at %v after %v", round, histories[which].name, at, after), func(t *testing.T) {
			t.Parallel()
			s := ready(t, in, histories[which])
			since := len(s.server.Changing())
			for i := range row {
				if after[i] > 0 {
					s.killedAfter(after[i])
				} else {
					s.killed(fmt.Sprintf("#%d", at[i]), nil, "apply", "--auto-approve")
				}
			}
			s.repaired(in, wants[which], since)
		})
	}
}

// killedAfter kills a run after a while, if it has not come to its end.
func (s *site) killedAfter(d time.Duration) {
	s.t.Helper()
	c := s.start(nil, "apply", "--auto-approve")
	select {
	case <-c.ended:
	case <-time.After(d):
		_ = c.cmd.Process.Kill() // or it has just ended
	}
	if code := c.wait(); code > 0 {
		s.t.Fatalf("the run ended by itself: %d\n%s", code, c.output.String())
	}
	c.quiet()
}
