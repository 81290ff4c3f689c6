package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weir-project/weir/providers/sim"
	"github.com/weir-project/weir/providers/sim/world"
)

// watchCommands are about mail that goes on arriving:
//
//	receives ADDRESS…        the gateway accepts mail to each, for an account that has the address
//	watch ADDRESS…           from now on the gateway must accept mail to each after every call of weir that changes anything,
//	                         and after every hour of hours; without addresses that ends
//	press DOMAIN             from now on, and as long as something is watched, the hosted sync of that organization also runs
//	                         after each such call, from the one on that exempts a watched address
//	hosted DOMAIN MODE [N]   run the hosted sync N times: preview, apply or scheduled
//	hours N [ARGS…]          N times an hour goes by, and then weir ARGS must succeed and change nothing
var watchCommands = map[string]func(*testscript.TestScript, bool, []string){
	"receives": cmdReceives, "watch": cmdWatch, "press": cmdPress, "hosted": cmdHosted, "hours": cmdHours,
}

// watch stands behind every vendor call and asks the gateway for the watched addresses.
type watch struct {
	server    *sim.Server
	addresses []string
	press     string
	mu        sync.Mutex
	asked     int      // times that the gateway was asked
	pressed   int      // times that the hosted sync ran in between
	lost      []string // what was refused, and after which call
}

// around is for App.AroundVendors.
func (w *watch) around(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.look(r.Method + " " + r.URL.Path)
		}
		return response, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (w *watch) look(after string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ask := func(after string) {
		for _, address := range w.addresses {
			d, err := route(w.server, address)
			w.asked++
			if err != nil || !d.arrives() {
				w.lost = append(w.lost, fmt.Sprintf("after %s: %s is refused: %s %v", after, address, d.Reason, err))
			}
		}
	}
	ask(after)
	if w.press == "" || !w.exempt() {
		return
	}
	if err := hostedSync(w.server, w.press, "scheduled"); err != nil {
		w.lost = append(w.lost, err.Error())
	}
	w.pressed++
	ask(after + " and a run of the hosted sync")
}

// exempt reports whether the vendor's list has a watched address.
func (w *watch) exempt() bool {
	world := w.server.World()
	world.RLock()
	defer world.RUnlock()
	o := world.Organization(w.press)
	return o != nil && slices.ContainsFunc(o.Exemptions, func(e string) bool { return slices.Contains(w.addresses, strings.ToLower(e)) })
}

type delivery struct {
	Accepted bool   `json:"accepted"`
	Reason   string `json:"reason"`
}

// arrives reports whether mail is accepted for an account that has the address: SMTP discovery accepts mail to those who
// have none, too, for a while.
func (d delivery) arrives() bool { return d.Accepted && d.Reason == "" }

func route(server *sim.Server, address string) (delivery, error) {
	var d delivery
	return d, control(server, http.MethodGet, "/_sim/route?to="+url.QueryEscape(address), "", &d)
}

func hostedSync(server *sim.Server, domain, mode string) error {
	var report struct {
		Status string `json:"status"`
		Error  string `json:"error"`
	}
	err := control(server, http.MethodPost, "/_sim/orgs/"+domain+"/azure/sync", `{"mode": "`+mode+`"}`, &report)
	if err == nil && report.Status != "ok" {
		err = fmt.Errorf("the hosted sync failed: %s", report.Error)
	}
	return err
}

// control asks the simulator what no vendor answers.
func control(server *sim.Server, method, path, body string, into any) error {
	request, err := http.NewRequest(method, server.URLs().Control+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	response, err := server.Client().Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, data)
	}
	return json.Unmarshal(data, into)
}

func cmdReceives(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: receives ADDRESS…")
	}
	for _, address := range args {
		d, err := route(serverOf(ts), address)
		ts.Check(err)
		if d.arrives() == neg {
			ts.Fatalf("mail to %s: accepted %t %s", address, d.Accepted, d.Reason)
		}
	}
}

func cmdWatch(ts *testscript.TestScript, _ bool, args []string) {
	s := scriptOf(ts)
	if s.watch != nil {
		ts.Logf("asked the gateway %d times, with %d runs of the hosted sync in between", s.watch.asked, s.watch.pressed)
		if s.watch.press != "" && s.watch.pressed == 0 {
			ts.Fatalf("the hosted sync never ran in between")
		}
	}
	if s.watch = nil; len(args) > 0 {
		cmdReceives(ts, false, args)
		s.watch = &watch{server: serverOf(ts), addresses: args}
	}
}

func cmdPress(ts *testscript.TestScript, _ bool, args []string) {
	need(ts, args, 1, "press DOMAIN")
	if scriptOf(ts).watch == nil {
		ts.Fatalf("watch something first")
	}
	scriptOf(ts).watch.press = args[0]
}

// check fails the script if anything watched was refused.
func (w *watch) check(ts *testscript.TestScript) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.lost) > 0 {
		ts.Fatalf("mail was refused:\n%s", strings.Join(w.lost, "\n"))
	}
}

func cmdHosted(ts *testscript.TestScript, neg bool, args []string) {
	n := 1
	if len(args) == 3 {
		var err error
		n, err = strconv.Atoi(args[2])
		ts.Check(err)
		args = args[:2]
	}
	need(ts, args, 2, "hosted DOMAIN MODE [N]")
	for range n {
		if err := hostedSync(serverOf(ts), args[0], args[1]); neg == (err == nil) {
			ts.Fatalf("hosted sync of %s: %v", args[0], err)
		}
		if w := scriptOf(ts).watch; w != nil {
			w.look("a run of the hosted sync")
			w.check(ts)
		}
	}
}

func cmdHours(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: hours N [ARGS…]")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	for i := range n {
		ts.Check(serverOf(ts).Advance(time.Hour))
		if w := scriptOf(ts).watch; w != nil {
			w.look(fmt.Sprintf("hour %d", i+1))
			w.check(ts)
		}
		if len(args) > 1 {
			cmdWeir(ts, false, args[1:])
			cmdChanges(ts, false, []string{"0"})
		}
	}
}

// TestWatchCatches shows that the watch sees a refusal, by itself and through a run of the hosted sync.
func TestWatchCatches(t *testing.T) {
	server, err := sim.Start(sim.Options{World: world.MSP()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	person, domain := somebody(t, server)
	w := &watch{server: server, addresses: []string{person}}
	w.look("nothing")
	if len(w.lost) > 0 || w.asked != 1 {
		t.Fatalf("asked %d times, lost %v", w.asked, w.lost)
	}
	edit := fmt.Sprintf(`{"organization": %q, "user": %q, "set": {"is_active": false}}`, domain, person)
	if err := server.Portal(edit); err != nil {
		t.Fatal(err)
	}
	w.look("the portal")
	if len(w.lost) != 1 || !strings.Contains(w.lost[0], "account_inactive") {
		t.Errorf("lost %v", w.lost)
	}
}

// somebody is an account of the world that receives mail.
func somebody(t *testing.T, server *sim.Server) (address, domain string) {
	t.Helper()
	world := server.World()
	world.RLock()
	var candidates [][2]string
	for _, o := range world.Organizations {
		for _, u := range o.Users {
			candidates = append(candidates, [2]string{strings.ToLower(u.PrimaryEmail), o.PrimaryDomain})
		}
	}
	world.RUnlock()
	for _, c := range candidates {
		if d, err := route(server, c[0]); err == nil && d.arrives() {
			return c[0], c[1]
		}
	}
	t.Fatal("nobody in this world receives mail")
	return "", ""
}
