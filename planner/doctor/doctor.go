package doctor

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/vendordata"
)

// Severity says whether a finding has to be cured.
type Severity string

// The severities.
const (
	Problem  Severity = "problem"  // something is broken, or will be
	Reminder Severity = "reminder" // no API can tell: a person is asked to look, once
)

// Finding is one thing that is missing or about to break.
type Finding struct {
	// Rule is the rule of the product that it rests on, "R12".
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	// Subject is what it is about, as a person would name it: an address, a domain, an application.
	Subject string `json:"subject"`
	// Text says what is wrong and what follows from it, in a full sentence that ends with the rule in parentheses.
	Text string `json:"text"`
	// Cure says what to do; commands and blocks to paste stand on lines of their own.
	Cure string `json:"cure"`
}

// Request is everything that a finding rests on. Nothing in it is changed.
type Request struct {
	Tenant resource.Identity
	// Observed is the read of all types, directory, accounts and DNS.
	Observed *planner.Observation
	// Wanted are the planned values of the tenant's declared objects, by address (planner.Part.Values).
	Wanted map[string]cty.Value
	// Stacks are the stacks that hold the primary domain; StacksErr why they are unknown.
	Stacks    []string
	StacksErr error
	// Gateway is what is known of the tenant's stack; its zero value when the stack is unknown (a white-labelled console).
	Gateway vendordata.Data
	Now     time.Time
}

// Result is what Examine found.
type Result struct {
	// Findings are sorted by severity, rule number, subject.
	Findings []Finding `json:"findings"`
	// Unread says, in full sentences, what could not be read: findings that rest on it are missing.
	Unread []string `json:"unread"`
}

// Healthy reports whether everything was read and nothing has to be cured. Reminders do not count.
func (r Result) Healthy() bool { return len(r.Unread) == 0 && r.Problems() == 0 }

// Problems counts the findings that have to be cured.
func (r Result) Problems() int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == Problem {
			n++
		}
	}
	return n
}

// Examine looks at one tenant.
func Examine(req Request) Result {
	x := &examination{Request: req}
	x.prepare()
	for _, check := range []func(){
		x.location, x.application, x.secret, x.connection, x.login, x.twoFactor, x.domains, x.seats, x.delivery, x.words,
	} {
		check()
	}
	slices.SortFunc(x.out.Findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(string(a.Severity), string(b.Severity)), cmp.Compare(number(a.Rule), number(b.Rule)), strings.Compare(a.Subject, b.Subject), strings.Compare(a.Text, b.Text))
	})
	slices.Sort(x.out.Unread)
	return x.out
}

func number(rule string) int {
	n := 0
	for _, c := range strings.TrimPrefix(rule, "R") {
		n = n*10 + int(c-'0')
	}
	return n
}

// examination is one run of Examine.
type examination struct {
	Request
	out Result

	// tenant, settings and wanted are null when there are none; settings are the live ones of the hosted sync.
	tenant, settings         cty.Value
	wantedTenant, wantedSync cty.Value
	// clientID is the application that Essentials signs in with, lower case; "" for none.
	clientID string
	// app is that application; null when the directory does not have it, or it is not known.
	app cty.Value
	// people are the entries by each of their addresses and user principal names.
	people map[string]*directory.Entry
}

func (x *examination) prepare() {
	x.tenant, x.settings, x.app = x.only("tenant"), x.only("sync_policy"), cty.NilVal
	x.wantedTenant, x.wantedSync = cty.NilVal, cty.NilVal
	for address, v := range x.Wanted {
		a, err := resource.ParseAddress(address)
		if err != nil || v == cty.NilVal {
			continue
		}
		switch a.Type {
		case "tenant":
			x.wantedTenant = resource.Bare(v)
		case "sync_policy":
			x.wantedSync = resource.Bare(v)
		}
	}
	x.clientID = directory.Fold(text(x.settings, "connection.application.client_id"))
	for _, l := range x.live("app_registration") {
		if x.clientID != "" && directory.Fold(text(l.Value, "client_id")) == x.clientID {
			x.app = l.Value
		}
	}
	for name, r := range x.Observed.Objects {
		if r.Err != nil {
			x.unread("objects of type "+name, r.Err)
		}
	}
	if d := x.Observed.Directory; d != nil && x.Observed.DirectoryErr == nil {
		x.people = make(map[string]*directory.Entry, len(d.Entries))
		for _, e := range d.Entries {
			for _, a := range append([]string{e.Address, e.UPN}, e.Aliases...) {
				if a != "" && x.people[a] == nil {
					x.people[a] = e
				}
			}
		}
		switch {
		case !d.Proof.Complete:
			x.out.Unread = append(x.out.Unread, "the read of the directory is not complete: "+d.Proof.Problem)
			x.people = nil
		case d.KindsErr != nil:
			x.unread("the kinds of mailboxes", d.KindsErr)
		}
	} else if x.Observed.DirectoryErr != nil {
		x.unread("the directory", x.Observed.DirectoryErr)
	}
	if x.Observed.AccountsErr != nil {
		x.unread("the accounts", x.Observed.AccountsErr)
	} else if a := x.Observed.Accounts; a != nil && !a.Proof.Complete {
		x.out.Unread = append(x.out.Unread, "the read of the accounts is not complete: "+a.Proof.Problem)
	}
	if x.Observed.CloudErr != nil {
		x.unread("the cloud of the directory", x.Observed.CloudErr)
	}
	if x.StacksErr != nil {
		x.unread("the stack of the organization", x.StacksErr)
	}
}

func (x *examination) unread(what string, err error) {
	x.out.Unread = append(x.out.Unread, what+" could not be read: "+err.Error())
}

// find reports a problem. The rule's number is added to the text.
func (x *examination) find(rule, subject, text, cure string) {
	x.add(Problem, rule, subject, text, cure)
}

func (x *examination) remind(rule, subject, text, cure string) {
	x.add(Reminder, rule, subject, text, cure)
}

func (x *examination) add(s Severity, rule, subject, text, cure string) {
	if before, found := strings.CutSuffix(text, ")"); found && strings.Contains(before, "(R") {
		text = before + ", " + rule + ")."
	} else {
		text += " (" + rule + ")."
	}
	x.out.Findings = append(x.out.Findings, Finding{Rule: rule, Severity: s, Subject: subject, Text: text, Cure: cure})
}

// live are the objects of a type; none when they could not be read.
func (x *examination) live(name string) []resource.Live {
	if r := x.Observed.Objects[name]; r.Err == nil {
		return r.Live
	}
	return nil
}

// known reports whether a type was read.
func (x *examination) known(name string) bool {
	r, asked := x.Observed.Objects[name]
	return asked && r.Err == nil
}

func (x *examination) only(name string) cty.Value {
	if all := x.live(name); len(all) == 1 {
		return all[0].Value
	}
	return cty.NilVal
}

// accounts are the organization's accounts; nil when they are not known.
func (x *examination) accounts() []*directory.Account {
	if a := x.Observed.Accounts; a != nil && x.Observed.AccountsErr == nil && a.Proof.Complete {
		return a.Accounts
	}
	return nil
}

// entry is the directory entry that an account belongs to by one of its addresses; nil for none.
func (x *examination) entry(a *directory.Account) *directory.Entry {
	for _, address := range append([]string{a.Address}, a.Aliases...) {
		if e := x.people[address]; e != nil {
			return e
		}
	}
	return nil
}

func text(v cty.Value, path string) string {
	if v == cty.NilVal {
		return ""
	}
	s := resource.Get(v, path)
	if s == cty.NilVal || s.IsNull() || !s.IsKnown() || s.Type() != cty.String {
		return ""
	}
	return s.AsString()
}

// flag is a boolean; set says that it is known and not null.
func flag(v cty.Value, path string) (on, set bool) {
	if v == cty.NilVal {
		return false, false
	}
	return resource.Flag(v, path)
}

func words(v cty.Value, path string) []string {
	if v == cty.NilVal {
		return nil
	}
	all, _ := resource.Words(v, path)
	slices.Sort(all)
	return all
}
