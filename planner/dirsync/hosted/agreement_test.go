package hosted_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/zclconf/go-cty/cty"
	"golang.org/x/sync/errgroup"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync/hosted"
	"github.com/weir-project/weir/planner/live"
	"github.com/weir-project/weir/providers"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/secrets"
	"github.com/weir-project/weir/providers/sim"
	"github.com/weir-project/weir/providers/sim/world"
)

// TestAgreement predicts for random tenants, from what Weir's own clients read over TLS, what the simulator's hosted sync
// does, lets it do so, and compares: the previews and runs by hand, the automatic runs, and what the accounts became. Each
// tenant has two rounds. The predictor is not told what no client can read. Where the run and the prediction part, the
// difference is explained only if telling the truth about one such fact (or a named few) removes it; with all of them told,
// both must agree to the letter in every run. WEIR_LONG=1 takes 1,000 tenants instead of 100.
func TestAgreement(t *testing.T) {
	worlds, tenants := 5, 20
	if os.Getenv("WEIR_LONG") != "" {
		worlds, tenants = 25, 40
	}
	all := newTally()
	for i := range worlds {
		compareWorld(t, uint64(1000+i), tenants, all)
	}
	t.Log(all.text())
	if want := worlds * tenants; all.tenants != want {
		t.Errorf("%d tenants were compared, want %d", all.tenants, want)
	}
	for _, seen := range []hosted.Effect{hosted.Adding, hosted.Updating, hosted.Disabling, hosted.Deleting, hosted.Exempt, hosted.Skipped, hosted.Refused} {
		if all.effects[seen] == 0 {
			t.Errorf("no run saw %s: the tenants are too tame to prove anything", seen)
		}
	}
	if all.failed == 0 || all.compared == all.exact {
		t.Errorf("%d runs failed, %d of %d were predicted exactly: the tenants are too tame to prove anything", all.failed, all.exact, all.compared)
	}
}

// TestAgreementCatches shows that the comparison can fail: a prediction that is wrong in one item is not explained.
func TestAgreementCatches(t *testing.T) {
	seen := outcome{items: []string{"adding a@c.com", "updating b@c.com"}}
	sure := func(address string, e hosted.Effect) hosted.Item { return hosted.Item{Effect: e, Address: address} }
	p := &hosted.Prediction{Items: []hosted.Item{sure("a@c.com", hosted.Adding), sure("b@c.com", hosted.Updating)}}
	if d := differences(p, seen, false); len(d) > 0 {
		t.Fatalf("two equal runs differ: %v", d)
	}
	for name, wrong := range map[string]*hosted.Prediction{
		"one too few":     {Items: p.Items[:1]},
		"one too many":    {Items: append(slices.Clone(p.Items), sure("c@c.com", hosted.Deleting))},
		"another effect":  {Items: []hosted.Item{p.Items[0], sure("b@c.com", hosted.Disabling)}},
		"it should fail":  {Fails: "no"},
		"nothing at all":  {},
		"nothing is read": {Unknown: "no"},
	} {
		if len(differences(wrong, seen, false)) == 0 {
			t.Errorf("%s: no difference was found", name)
		}
	}
	either := &hosted.Prediction{Items: []hosted.Item{p.Items[0]}, Doubts: []hosted.Doubt{{Fact: hosted.FlipSwitch, Instead: []hosted.Item{p.Items[1]}}}}
	if d := differences(either, seen, false); len(d) > 0 {
		t.Errorf("the other side of a doubt counts as a difference: %v", d)
	}
}

// outcome is what a run did, in words: "EFFECT ADDRESS", sorted; or why it failed.
type outcome struct {
	items []string
	fails string
}

// report is the simulator's answer.
type report struct {
	Status, Error                                 string
	Adding, Updating, Disabling, Deleting, Exempt []string
	Skipped, Errors                               []struct{ Identifier, Reason string }
}

func (r *report) outcome() outcome {
	if r.Status != "ok" {
		return outcome{fails: r.Error}
	}
	var out []string
	for effect, list := range map[hosted.Effect][]string{hosted.Adding: r.Adding, hosted.Updating: r.Updating, hosted.Disabling: r.Disabling,
		hosted.Deleting: r.Deleting, hosted.Exempt: r.Exempt} {
		for _, a := range list {
			out = append(out, string(effect)+" "+a)
		}
	}
	for _, s := range r.Skipped {
		out = append(out, string(hosted.Skipped)+" "+s.Identifier+" "+s.Reason)
	}
	for _, e := range r.Errors {
		out = append(out, string(hosted.Refused)+" "+e.Identifier)
	}
	slices.Sort(out)
	return outcome{items: slices.Compact(out)}
}

func word(i hosted.Item) string {
	out := string(i.Effect) + " " + i.Address
	if i.Code != "" {
		out += " " + i.Code
	}
	return out
}

func words(items []hosted.Item) []string {
	var out []string
	for _, i := range items {
		out = append(out, word(i))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// differences are where a run is on no side of the prediction.
func differences(p *hosted.Prediction, seen outcome, manual bool) []string {
	fails := p.Fails
	doubted := p.MayFail != ""
	if manual && fails == "" {
		fails = p.ManualFails
		doubted = doubted || len(p.ManualDepends) > 0
	}
	switch {
	case p.Unknown != "":
		return []string{"nothing was predicted: " + p.Unknown}
	case fails != "" && seen.fails == "" && !doubted:
		return []string{"should have failed: " + fails}
	case fails == "" && seen.fails != "" && !doubted:
		return []string{"failed: " + seen.fails}
	case seen.fails != "":
		return nil
	}
	var out []string
	possible := map[string]bool{}
	for _, w := range words(p.Possible()) {
		possible[w] = true
	}
	for _, w := range seen.items {
		if !possible[w] {
			out = append(out, "unpredicted: "+w)
		}
	}
	for _, i := range p.Items {
		if len(i.Depends) == 0 && !slices.Contains(seen.items, word(i)) {
			out = append(out, "did not happen: "+word(i))
		}
	}
	return out
}

// customer is one tenant of a world under comparison.
type customer struct {
	w         *world.World
	o         *world.Organization
	t         *world.Tenant
	connected *providers.Tenant
	registry  *resource.Registry
	server    *sim.Server
	client    *http.Client
	// remembered is what a state would know.
	remembered map[int]hosted.Memory
}

func compareWorld(t *testing.T, seed uint64, tenants int, all *tally) {
	t.Helper()
	w, random, err := randomWorld(seed, tenants)
	if err != nil {
		t.Fatal(err)
	}
	server, err := sim.Start(sim.Options{World: w, JournalLimit: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	c := w.Credentials()
	env := map[string]string{"E": c.EssentialsPassword, "A": c.ClientSecret}
	urls := server.URLs()
	pool, err := providers.NewPool(providers.PoolOptions{
		Endpoints: providers.Endpoints{Login: urls.Login, Graph: urls.Graph, Exchange: urls.Exchange, Essentials: urls.Essentials, DNS: server.DNS(), CA: server.CA()},
		Secrets:   &secrets.Run{Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok }},
		Redactor:  providers.Secrets(), Version: "test", Now: w.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	var customers []*customer
	for _, o := range w.Organizations {
		if o.Type != "organization" {
			continue
		}
		tenant := w.Tenant(o.PrimaryDomain)
		connected, err := pool.Connect(providers.Settings{
			Tenant:     resource.Identity{Key: o.PrimaryDomain, PrimaryDomain: o.PrimaryDomain, Parent: "msp.example", EntraTenantID: tenant.ID, Stack: o.Stack},
			Essentials: &providers.EssentialsSettings{Address: "e", Stack: o.Stack, User: c.EssentialsUser, Password: &resource.SecretRef{URL: "env://E"}},
			Microsoft:  &providers.MicrosoftSettings{Address: "m", ClientID: c.ClientID, ClientSecret: &resource.SecretRef{URL: "env://A"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		x := &customer{w: w, o: o, t: tenant, connected: connected, registry: providers.Builtin(), server: server, client: server.Client(), remembered: map[int]hosted.Memory{}}
		// A state may know all that the vendor remembers, some of it, or nothing.
		share := []int{100, 100, 60, 0}[random.IntN(4)]
		for uid, id := range o.SyncedUIDs {
			if random.IntN(100) < share {
				x.remembered[uid] = memory(tenant, id)
			}
		}
		customers = append(customers, x)
	}
	for round := range 2 {
		var work errgroup.Group
		work.SetLimit(2)
		for i, x := range customers {
			work.Go(func() error { return x.compare(t, all, (i+round)%2 == 0) })
		}
		if err := work.Wait(); err != nil {
			t.Fatal(err)
		}
		if round > 0 {
			break
		}
		w.Lock()
		for _, x := range customers {
			m := &mutation{w: w, o: x.o, t: x.t, r: random, n: 1000}
			m.directory()
			m.accounts()
			for uid, id := range x.o.SyncedUIDs { // what a run of Weir would have seen since
				x.remembered[uid] = memory(x.t, id)
			}
		}
		w.Reindex()
		w.Unlock()
	}
	all.add(len(customers))
}

// memory is a link with the kind of its object, which a state remembers.
func memory(t *world.Tenant, id string) hosted.Memory {
	m := hosted.Memory{ObjectID: id, Kind: directory.User}
	group := t.Group(id) != nil
	for _, d := range t.Deleted {
		group = group || d.ID == id && d.Kind == "group"
	}
	if group {
		m.Kind = directory.DistributionGroup
	}
	return m
}

// observe reads everything with Weir's clients and makes the request of it, as planning does.
func (c *customer) observe(t *testing.T) hosted.Request {
	r := live.Readers{Conn: c.connected.Conn, Directory: c.connected.Directory, Accounts: c.connected.Accounts}
	for _, name := range []string{"tenant", "domain", "sync_policy", "exemption", "app_registration"} {
		r.Types = append(r.Types, c.registry.Type(name))
	}
	o := live.Read(context.Background(), r, c.w.Now())
	for name, reading := range o.Objects {
		if reading.Err != nil {
			t.Errorf("%s: %s: %v", c.o.PrimaryDomain, name, reading.Err)
		}
	}
	if o.DirectoryErr != nil || o.AccountsErr != nil {
		t.Errorf("%s: %v, %v", c.o.PrimaryDomain, o.DirectoryErr, o.AccountsErr)
	}
	return request(o, c.remembered)
}

func request(o *planner.Observation, remembered map[int]hosted.Memory) hosted.Request {
	first := func(name string) cty.Value {
		if l := o.Objects[name].Live; len(l) > 0 {
			return l[0].Value
		}
		return cty.NilVal
	}
	req := hosted.Request{Settings: hosted.DecodeSettings(first("sync_policy")), Directory: o.Directory, Accounts: o.Accounts, Remembered: remembered, Now: o.At}
	connection := hosted.Connection{Policy: first("sync_policy"), Organization: first("tenant"), Domains: o.Directory.Domains, Now: o.At, Applications: []cty.Value{}}
	for _, l := range o.Objects["app_registration"].Live {
		connection.Applications = append(connection.Applications, l.Value)
	}
	req.Fails, req.Doubt = connection.Check()
	req.Exempt, _ = resource.Words(first("exemption"), "protects")
	for _, l := range o.Objects["domain"].Live {
		req.Domains = append(req.Domains, resource.Text(l.Value, "name"))
	}
	req.Licenses, _ = resource.Whole(first("tenant"), "licenses")
	return req
}

// press runs the hosted sync as the console or the schedule does.
func (c *customer) press(mode string) (outcome, error) {
	body, _ := json.Marshal(map[string]string{"mode": mode})
	answer, err := c.client.Post(c.server.URLs().Control+"/_sim/orgs/"+c.o.PrimaryDomain+"/azure/sync", "application/json", bytes.NewReader(body))
	if err != nil {
		return outcome{}, err
	}
	defer func() { _ = answer.Body.Close() }()
	var r report
	if err := json.NewDecoder(answer.Body).Decode(&r); err != nil || answer.StatusCode != http.StatusOK {
		return outcome{}, fmt.Errorf("%s: %d %v", mode, answer.StatusCode, err)
	}
	return r.outcome(), nil
}

// truth is what no client can read, from the world itself.
func (c *customer) truth() map[hosted.Fact]func(*hosted.Assumptions) {
	c.w.RLock()
	defer c.w.RUnlock()
	s := c.w.Switches
	memories, primaries, silent := map[int]hosted.Memory{}, map[string]string{}, map[string]bool{}
	for uid, id := range c.o.SyncedUIDs {
		memories[uid] = memory(c.t, id)
	}
	registered := map[string]bool{}
	for _, d := range c.o.Domains {
		registered[strings.ToLower(d.Name)] = true
	}
	primary := func(id, mail string, proxies []string) {
		aliases := false
		for _, p := range proxies {
			if strings.HasPrefix(p, "SMTP:") {
				return
			}
			aliases = aliases || strings.HasPrefix(p, "smtp:") && registered[strings.ToLower(p[strings.LastIndexByte(p, '@')+1:])]
		}
		if aliases && !s.SyncNeedsPrimary {
			primaries[id] = mail
		}
	}
	for _, p := range c.t.People {
		primary(p.ID, p.Mail, p.ProxyAddresses)
	}
	for _, g := range c.t.Groups {
		primary(g.ID, g.Mail, g.ProxyAddresses)
	}
	for _, d := range c.t.Domains {
		if d.NoEmail {
			silent[strings.ToLower(d.Name)] = true
		}
	}
	refuses, capped := broken(c.w, c.o, c.t), c.o.UserCapping
	return map[hosted.Fact]func(*hosted.Assumptions){
		hosted.EarlierRuns:   func(a *hosted.Assumptions) { a.Memory = memories },
		hosted.Credentials:   func(a *hosted.Assumptions) { a.Refuses = refuses },
		hosted.HandMade:      func(a *hosted.Assumptions) { a.DeletesHandMade = s.HandMadeDeletedBySync },
		hosted.FlipSwitch:    func(a *hosted.Assumptions) { a.FlipsWithoutRemove = s.SyncFlipsWithoutRemove },
		hosted.Microsoft365:  func(a *hosted.Assumptions) { a.BringsMicrosoft365 = s.SyncBringsM365Groups },
		hosted.Nameless:      func(a *hosted.Assumptions) { a.LeavesNameless = s.SyncLeavesNameless },
		hosted.NoPrimary:     func(a *hosted.Assumptions) { a.Primaries = primaries },
		hosted.InitialDomain: func(a *hosted.Assumptions) { a.IgnoresInitialDomain = s.ManualSyncIgnoresInitialDomain },
		hosted.MailDomains:   func(a *hosted.Assumptions) { a.NoMail = silent },
		hosted.Contested:     func(a *hosted.Assumptions) { a.LastFirst = s.SyncLastFirst },
		hosted.UserCapping:   func(a *hosted.Assumptions) { a.Capped = capped },
	}
}

// told plays a run with these facts told.
func told(req hosted.Request, truth map[hosted.Fact]func(*hosted.Assumptions), facts []hosted.Fact, manual bool) hosted.Outcome {
	a := hosted.Assumptions{Memory: req.Remembered}
	for _, f := range facts {
		truth[f](&a)
	}
	return hosted.Run(req, a, manual)
}

// agrees tells whether a run played through is the run that was seen, to the letter.
func agrees(o hosted.Outcome, seen outcome) bool {
	return (o.Fails == "") == (seen.fails == "") && (seen.fails != "" || slices.Equal(words(o.Items), seen.items))
}

// compare predicts one tenant's next runs and lets them happen: a preview, then the run by hand or the automatic one.
func (c *customer) compare(t *testing.T, all *tally, byHand bool) error {
	req := c.observe(t)
	p := hosted.Predict(req)
	truth := c.truth()
	facts := slices.Sorted(maps.Keys(truth))
	modes := []struct {
		name   string
		manual bool
	}{{"preview", true}, {"scheduled", false}}
	if byHand {
		modes[1].name, modes[1].manual = "apply", true
	}
	for _, mode := range modes {
		seen, err := c.press(mode.name)
		if err != nil {
			return err
		}
		whole := told(req, truth, facts, mode.manual)
		if !agrees(whole, seen) {
			t.Errorf("%s %s: with everything told\n  predicted %q %v\n  seen      %q %v", c.o.PrimaryDomain, mode.name, whole.Fails, minus(words(whole.Items), seen.items), seen.fails, minus(seen.items, words(whole.Items)))
		}
		all.run(c, req, p, seen, mode.manual, truth, facts, t)
		if mode.name != "preview" && seen.fails == "" {
			c.became(t, req, whole)
		}
	}
	return nil
}

// became compares what the accounts are after a run with what was predicted they become.
func (c *customer) became(t *testing.T, before hosted.Request, o hosted.Outcome) {
	want := map[string]*directory.Account{}
	for _, a := range before.Accounts.Accounts {
		want[a.Address] = a
	}
	for _, i := range o.Items {
		if i.Effect == hosted.Deleting || i.Effect == hosted.Updating || i.Effect == hosted.Disabling {
			delete(want, i.Address)
		}
	}
	for _, i := range o.Items {
		switch i.Effect {
		case hosted.Adding, hosted.Updating, hosted.Disabling:
			want[i.After.Address] = i.After
		}
	}
	reading, err := c.connected.Accounts(context.Background())
	if err != nil {
		t.Errorf("%s: %v", c.o.PrimaryDomain, err)
		return
	}
	for _, a := range reading.Accounts {
		w := want[a.Address]
		delete(want, a.Address)
		if w == nil || w.Type != a.Type || w.Active != a.Active || w.FirstName != a.FirstName || w.Surname != a.Surname || !slices.Equal(folded(w.Aliases), folded(a.Aliases)) {
			t.Errorf("%s: %s became %+v, predicted %+v", c.o.PrimaryDomain, a.Address, a, w)
		}
	}
	for address := range want {
		t.Errorf("%s: %s is not there after the run", c.o.PrimaryDomain, address)
	}
}

func folded(list []string) []string {
	out := []string{}
	for _, s := range list {
		out = append(out, directory.Fold(s))
	}
	slices.Sort(out)
	return out
}

func minus(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

// tally counts over all worlds. Safe for concurrent use.
type tally struct {
	mu                                             sync.Mutex
	tenants, compared, exact, either, failed, told int
	items, doubtful                                int
	effects                                        map[hosted.Effect]int
	categories                                     map[string]int
	sides                                          map[hosted.Fact]int
}

func newTally() *tally {
	return &tally{effects: map[hosted.Effect]int{}, categories: map[string]int{}, sides: map[hosted.Fact]int{}}
}

func (a *tally) add(tenants int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tenants += tenants
}

// run files one run: predicted exactly, on one side of an either-or, or explained by what could not be read.
func (a *tally) run(c *customer, req hosted.Request, p *hosted.Prediction, seen outcome, manual bool, truth map[hosted.Fact]func(*hosted.Assumptions), facts []hosted.Fact, t *testing.T) {
	off := differences(p, seen, manual)
	category := ""
	if len(off) > 0 {
		category = explain(req, p, seen, manual, truth, facts)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.compared++
	if seen.fails != "" {
		a.failed++
	}
	for _, w := range seen.items {
		effect, _, _ := strings.Cut(w, " ")
		a.effects[hosted.Effect(effect)]++
		a.items++
	}
	base := outcome{items: words(p.Items), fails: p.Fails}
	if manual && base.fails == "" {
		base.fails = p.ManualFails
	}
	switch {
	case len(off) > 0 && category == "":
		t.Errorf("%s: a difference that nothing explains: %v", c.o.PrimaryDomain, off)
	case len(off) > 0:
		a.told++
		a.categories[category]++
	case (base.fails == "") == (seen.fails == "") && (seen.fails != "" || slices.Equal(base.items, seen.items)):
		a.exact++
	default:
		a.either++
		for _, d := range p.Doubts {
			a.sides[d.Fact]++
		}
	}
	for _, i := range p.Items {
		if len(i.Depends) > 0 {
			a.doubtful++
		}
	}
}

// explain finds the fewest facts that, told, turn the prediction into what was seen; "" when none do.
func explain(req hosted.Request, p *hosted.Prediction, seen outcome, manual bool, truth map[hosted.Fact]func(*hosted.Assumptions), facts []hosted.Fact) string {
	if !agrees(told(req, truth, facts, manual), seen) {
		return ""
	}
	needed := slices.Clone(facts)
	for _, f := range facts { // leave out what is not needed, one after the other
		fewer := slices.DeleteFunc(slices.Clone(needed), func(x hosted.Fact) bool { return x == f })
		if agrees(told(req, truth, fewer, manual), seen) {
			needed = fewer
		}
	}
	// What the prediction names as an either-or is no explanation by itself: a single fact that it has both sides of would
	// have been on one of them.
	if len(needed) == 1 && slices.ContainsFunc(p.Doubts, func(d hosted.Doubt) bool { return d.Fact == needed[0] }) && needed[0] != hosted.EarlierRuns && needed[0] != hosted.Contested && needed[0] != hosted.NoPrimary {
		return ""
	}
	var out []string
	for _, f := range needed {
		out = append(out, f.Text())
	}
	return strings.Join(out, " and ")
}

func (a *tally) text() string {
	var b strings.Builder
	percent := func(n, of int) float64 { return 100 * float64(n) / float64(max(1, of)) }
	fmt.Fprintf(&b, "%d tenants, %d runs compared (%d of them failed), %d effects; with everything told all agree to the letter unless said above.\n", a.tenants, a.compared, a.failed, a.items)
	fmt.Fprintf(&b, "  %5d (%.1f %%) as expected, item by item\n", a.exact, percent(a.exact, a.compared))
	fmt.Fprintf(&b, "  %5d (%.1f %%) on the other side of an either-or that the prediction names\n", a.either, percent(a.either, a.compared))
	fmt.Fprintf(&b, "  %5d (%.1f %%) differ, and telling what no client can read explains each:\n", a.told, percent(a.told, a.compared))
	for _, category := range slices.SortedFunc(maps.Keys(a.categories), func(x, y string) int { return a.categories[y] - a.categories[x] }) {
		fmt.Fprintf(&b, "    %5d  %s\n", a.categories[category], category)
	}
	for _, e := range slices.Sorted(maps.Keys(a.effects)) {
		fmt.Fprintf(&b, "  %s %d", e, a.effects[e])
	}
	return b.String()
}
