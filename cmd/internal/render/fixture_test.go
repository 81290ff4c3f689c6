package render

import (
	"fmt"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

var noon = time.Date(2026, 9, 14, 12, 0, 0, 0, time.UTC)

// canary is a value that no format may show.
const canary = "hunter2-canary"

func strings2(list ...string) cty.Value {
	var out []cty.Value
	for _, s := range list {
		out = append(out, cty.StringVal(s))
	}
	return cty.ListVal(out)
}

func object(pairs ...any) cty.Value {
	m := map[string]cty.Value{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1].(cty.Value)
	}
	return cty.ObjectVal(m)
}

// account makes a person's account.
func account(address, first, surname string) *directory.Account {
	return &directory.Account{Address: address, Type: directory.EndUser, Active: true, FirstName: first, Surname: surname, Billable: true}
}

// richPlan has one of everything: non-ASCII names, terminal escapes in a display name, a held removal, drift, secrets,
// unknown values, forty accounts, a second tenant without changes, a third that could not be read, and outputs.
func richPlan() *planner.Plan {
	return &planner.Plan{
		ID: "plan-0123", Created: noon, Version: "0.1.0", Realm: "live", Lineage: "lin-1", Digest: "abc",
		Variables: map[string]cty.Value{"mx": cty.StringVal("mx1"), "token": cty.StringVal(canary)},
		Sensitive: map[string]bool{"token": true},
		Parts:     []*planner.Part{richPart(), quietPart("litware", "Litware"), unreadablePart(), erroredPart(), rootPart()},
	}
}

func richPart() *planner.Part {
	const module = `module.customer["contoso"].`
	sensitive := object("name", cty.StringVal("contoso.com"), "purpose", cty.StringVal("relay"), "token", cty.StringVal(canary))
	before := object("name", cty.StringVal("contoso.com"), "purpose", cty.StringVal("management"), "token", cty.StringVal(canary))
	hosts := strings2("mail1.contoso.com", "mail2.contoso.com", "mail3.contoso.com", "mail4.contoso.com")
	hostsAfter := strings2("mail1.contoso.com", "mail2.contoso.com", "mail3.contoso.com", "mail5.contoso.com")
	var ranges []string
	for i := range 43 {
		ranges = append(ranges, fmt.Sprintf("192.0.2.%d/32", i))
	}
	return &planner.Part{
		Tenant: resource.Identity{Key: "contoso", Name: "Contoso Zürich AG", PrimaryDomain: "contoso.com", Stack: "eu1"}, Address: module + "tenant.this",
		Status: planner.Held, Serial: 7, Lineage: "t-1", Unchanged: 9, AccountPolicy: module + "sync_policy.staff",
		Proofs: []directory.Proof{
			{Complete: true, Source: "directory", Objects: 141, Count: 141, Pages: 3, Hash: "5d41402abc4b2a76b9719d911017c592ae1f", At: noon, Parts: []directory.Proof{
				{Complete: true, Source: "users", Objects: 131, Pages: 2, Count: 131, At: noon},
				{Complete: true, Source: "groups", Objects: 10, Pages: 1, Count: 10, At: noon},
			}},
			{Complete: true, Source: "accounts", Objects: 118, Pages: 1, Count: -1, Hash: "7d793037a0760186574b0282f2f435e7a1b2", At: noon.Add(4 * time.Second)},
		},
		Changes: []*planner.Change{
			{
				Address: module + "domain.mail", Type: "domain", Name: "contoso.com", ID: "contoso.com", Action: planner.Update, Cause: planner.Configuration,
				Before: before, After: sensitive, Sensitive: []string{"token"}, Source: "modules/customer/main.weir.hcl:14", Created: true,
				Paths: []planner.PathChange{
					{Path: "purpose", Label: "Purpose", Before: cty.StringVal("management"), After: cty.StringVal("relay"), Cause: planner.Configuration},
					{Path: "spam.threshold", Label: "Spam Trigger Level", Before: cty.NumberIntVal(7), After: cty.NumberIntVal(5), Cause: planner.Drift},
					{Path: "token", Before: cty.StringVal("old-" + canary), After: cty.StringVal(canary), Sensitive: true, Cause: planner.Configuration},
				},
			},
			{
				Address: module + `domain.extra["zürich.example"]`, Type: "domain", Action: planner.Create, Cause: planner.Configuration, Created: true,
				After: object("name", cty.StringVal("zürich.example"), "state", cty.UnknownVal(cty.String), "hosts", hosts, "comment", cty.NullVal(cty.String)),
				Paths: []planner.PathChange{
					{Path: "hosts", Before: cty.NullVal(cty.DynamicPseudoType), After: hosts, Cause: planner.Configuration},
					{Path: "name", Label: "Domain Name", Before: cty.NullVal(cty.DynamicPseudoType), After: cty.StringVal("zürich.example"), Cause: planner.Configuration},
					{Path: "ranges", Before: cty.NullVal(cty.DynamicPseudoType), After: strings2(ranges...), Cause: planner.Configuration},
					{Path: "verification", Before: cty.NullVal(cty.DynamicPseudoType), After: cty.UnknownVal(cty.String), Cause: planner.Configuration},
				},
				Source: "modules/customer/main.weir.hcl:22", Dependencies: []string{module + "tenant.this"},
			},
			{
				Address: module + "m365_connector.outbound", Type: "m365_connector", Name: "Proofpoint \x1b[31mOutbound", ID: "8f2", Action: planner.Adopt, Cause: planner.Configuration,
				Before: object("hosts", hosts), After: object("hosts", hostsAfter), Source: "modules/customer/mail.weir.hcl:3",
				Paths:   []planner.PathChange{{Path: "hosts", Label: "Smart hosts", Before: hosts, After: hostsAfter, Cause: planner.Configuration}},
				Reasons: []string{"it routes the same domains"},
			},
			{
				Address: module + "app_registration.weir", Type: "app_registration", Action: planner.DeleteCreate, Cause: planner.Configuration, ID: "11-22",
				Before: object("audience", cty.StringVal("one"), "secret", cty.NullVal(resource.SecretType)),
				After:  object("audience", cty.StringVal("many"), "secret", cty.UnknownVal(resource.SecretType)),
				Paths: []planner.PathChange{
					{Path: "ad_key", Label: "Application secret", WriteOnly: true, Sensitive: true, Before: cty.NullVal(cty.String), After: cty.NullVal(cty.String), Cause: planner.Configuration},
					{Path: "audience", Before: cty.StringVal("one"), After: cty.StringVal("many"), Forces: true, Cause: planner.Configuration},
				},
				Source: "modules/customer/app.weir.hcl:1", Created: true,
			},
			{
				Address: module + "account.scanner", Type: "account", Name: "scanner@contoso.com", ID: "991", Action: planner.Delete, Cause: planner.Configuration, Created: true,
				Before: object("email", cty.StringVal("scanner@contoso.com")), Reasons: []string{"its block is gone"}, Held: "prevent_destroy was set on it", PreventDestroy: true,
			},
			{Address: module + "mail_flow_rule.old", Type: "mail_flow_rule", Name: "Old rule", Action: planner.Release, Cause: planner.Configuration,
				Before:  object("name", cty.StringVal("Old rule")),
				Reasons: []string{"its block is gone; Weir found this object, it did not make it, so it is released and stays as it is"}},
			{Address: module + "exemption.board", Type: "exemption", Action: planner.Move, From: module + "exemption.vip", Cause: planner.Configuration,
				Before: object("reason", cty.StringVal("board")), After: object("reason", cty.StringVal("board")), Source: "modules/customer/people.weir.hcl:9"},
		},
		Drifted: []*planner.Change{
			{Address: module + "domain.mail", Type: "domain", Name: "contoso.com", ID: "contoso.com", Action: planner.Update, Cause: planner.Drift,
				Before: object("spam", object("threshold", cty.NumberIntVal(5))), After: object("spam", object("threshold", cty.NumberIntVal(7))),
				Paths: []planner.PathChange{{Path: "spam.threshold", Label: "Spam Trigger Level", Before: cty.NumberIntVal(5), After: cty.NumberIntVal(7), Cause: planner.Drift}}},
			{Address: module + "mail_flow_rule.bypass", Type: "mail_flow_rule", Action: planner.Delete, Cause: planner.Drift, Before: object("name", cty.StringVal("bypass"))},
		},
		Accounts: richAccounts(), Forecast: richForecast(),
		Guards: []planner.Guard{
			{Name: "prevent_destroy", Addresses: []string{module + "account.scanner"}, Text: module + "account.scanner is protected against deletion, and its block is gone",
				Cure: "removed {\n  from    = " + module + "account.scanner\n  destroy = true # or false, to let it live on unmanaged\n}"},
			{Name: "removals", Addresses: []string{"gone1@contoso.com", "gone2@contoso.com"}, Text: "2 addresses would stop receiving; the limit is 1 in 24 hours.",
				Cure: "safeguard {\n  allow {\n    removals = 2\n    reason   = \"…\"\n    until    = \"2026-09-15\"\n  }\n}"},
		},
		Waits: []planner.Wait{{Address: module + "m365_connector.outbound", Text: "enabled stays false until the SPF record of contoso.com includes the gateway (R60)"}},
		Notes: []string{"Essentials does not know 1 of the directory's domains: contoso.onmicrosoft.com. A manual run of the vendor's sync fails on them (R34)."},
	}
}

func richForecast() *planner.Forecast {
	stops := richAccounts().StopsReceiving
	stops = append(stops, dirsync.Stop{Address: "old@gone.example", Why: "its domain gone.example is deleted"})
	return &planner.Forecast{
		Licences: planner.Licences{Before: 118, After: 143, Counted: 121, Bought: 125, Buying: 125, Purchases: []string{`licenses is 125 in Essentials and 150 in the configuration; it is not bought, since purchases = "refuse"`}},
		Stops:    stops, Admins: []planner.AdminChange{{Address: "admin@contoso.com", What: "is disabled"}},
		AliasesLost: []planner.AliasLoss{{Account: "robert@contoso.com", Alias: "bob.old@contoso.com"}},
		Recipients: &planner.Recipients{
			Before: planner.Accepted{Accepted: 2310, Refused: 21}, After: planner.Accepted{Accepted: 2329, Refused: 15}, Elsewhere: 4,
			Refused: []planner.Refusal{
				{Code: "kind_skipped", Count: 13, New: 12, Addresses: []string{"room01@new.example", "room02@new.example", "room03@new.example", "room04@new.example",
					"room05@new.example", "room06@new.example", "room07@new.example", "room08@new.example", "room09@new.example", "room10@new.example", "room11@new.example", "room12@new.example"}},
				{Code: planner.RefusedInactive, Count: 2, Addresses: []string{"away@contoso.com", "left@contoso.com"}},
			},
		},
	}
}

func richAccounts() *dirsync.Result {
	r := &dirsync.Result{
		SkipCounts: map[string]int{"guest": 3, "no_proxy_address": 2, "dynamic_group": 1},
		Unchanged:  81, Seats: dirsync.Forecast{Before: 118, After: 143}, Strays: []string{"ghost@contoso.com"},
		StopsReceiving: []dirsync.Stop{
			{Address: "bob.old@contoso.com", Why: "the directory does not have it as alias of bob@contoso.com any more"},
			{Address: "leaver@contoso.com", Why: "its account is disabled"},
		},
	}
	for i := range 26 {
		a := account(fmt.Sprintf("new%02d@contoso.com", i), "Ännchen", fmt.Sprintf("Nr. %d", i))
		if i == 3 {
			a.FirstName, a.Surname = "Eve\x1b]0;owned\x07", "\u202elive <script>alert(1)</script> [x](http://evil.example) | `b` @admin"
		}
		if i == 4 {
			a.FirstName, a.Surname = "田中", "さくら"
		}
		r.Decisions = append(r.Decisions, dirsync.Decision{
			Action: dirsync.Add, Address: a.Address, ObjectID: fmt.Sprintf("id-%d", i), Kind: directory.User, After: a, Cause: dirsync.CauseDirectory, Created: true,
			Reasons: []dirsync.Reason{{Text: "The directory has it as a user (object id)."}, {Rule: "R21", Text: "Essentials has no account for it."}},
		})
	}
	for i := range 8 {
		before := account(fmt.Sprintf("upd%d@contoso.com", i), "Max", "Alt")
		after := account(before.Address, "Max", "Neu")
		if i == 0 {
			after.Aliases = []string{"max.neu@contoso.com"}
		}
		d := dirsync.Decision{
			Action: dirsync.Update, Address: before.Address, UID: 100 + i, Before: before, After: after, Cause: dirsync.CauseDirectory,
			Reasons: []dirsync.Reason{{Rule: "R22", Text: "It differs: surname."}},
		}
		if i == 7 {
			d.Cause = dirsync.CauseDrift
		}
		r.Decisions = append(r.Decisions, d)
	}
	bob, bobAfter := account("bob@contoso.com", "Bob", "Baumeister"), account("robert@contoso.com", "Robert", "Baumeister")
	bob.Aliases, bobAfter.Aliases = []string{"bob.old@contoso.com"}, []string{"bob@contoso.com"}
	desk, deskAfter := account("desk@contoso.com", "Service", "Desk"), account("desk@contoso.com", "Service", "Desk")
	deskAfter.Type, deskAfter.Billable = directory.FunctionalAccount, false
	leaver, leaverAfter := account("leaver@contoso.com", "Lea", "Ver"), account("leaver@contoso.com", "Lea", "Ver")
	leaverAfter.Active = false
	back, backAfter := account("back@contoso.com", "Zoë", "Ångström"), account("back@contoso.com", "Zoë", "Ångström")
	back.Active = false
	r.Decisions = append(r.Decisions,
		dirsync.Decision{Action: dirsync.Rename, Address: bob.Address, UID: 1, Before: bob, After: bobAfter, Cause: dirsync.CauseDirectory, Loses: []string{"bob.old@contoso.com"},
			Reasons: []dirsync.Reason{{Rule: "R22", Text: "The same object has another primary address now."}}},
		dirsync.Decision{Action: dirsync.Convert, Address: desk.Address, UID: 2, Before: desk, After: deskAfter, Cause: dirsync.CauseConfiguration,
			Reasons: []dirsync.Reason{{Rule: "R39", Text: "It becomes a functional account: mail flows on, without a seat."}}},
		dirsync.Decision{Action: dirsync.Enable, Address: back.Address, UID: 3, Before: back, After: backAfter, Cause: dirsync.CauseDirectory,
			Reasons: []dirsync.Reason{{Rule: "R32", Text: "It is back in the directory and is enabled again."}}},
		dirsync.Decision{Action: dirsync.Disable, Address: leaver.Address, UID: 4, Before: leaver, After: leaverAfter, Cause: dirsync.CauseDirectory, Destructive: true, Loses: []string{"leaver@contoso.com"},
			Reasons: []dirsync.Reason{{Rule: "R32", Text: "It is disabled: mail to it is refused."}}},
	)
	for i := 1; i <= 2; i++ {
		gone := account(fmt.Sprintf("gone%d@contoso.com", i), "Gone", "Person")
		r.Decisions = append(r.Decisions, dirsync.Decision{
			Action: dirsync.Delete, Address: gone.Address, UID: 50 + i, Before: gone, Cause: dirsync.CauseDirectory, Destructive: true,
			Held: "the limit of removals is reached", Loses: []string{gone.Address}, Reasons: []dirsync.Reason{{Text: "It is deleted for ever."}},
		})
	}
	for i := range 40 {
		r.Links = append(r.Links, dirsync.Link{Address: fmt.Sprintf("known%02d@contoso.com", i), ObjectID: fmt.Sprintf("k-%d", i)})
	}
	r.Undecided = []dirsync.Undecided{{Address: "fax@contoso.com", ObjectID: "f-1", Reasons: []dirsync.Reason{{Rule: "R40", Text: "Its address is held by a functional account that Weir did not convert."}},
		Blocks: []string{"exemption \"fax\" {\n  addresses = [\"fax@contoso.com\"]\n  as        = \"functional_account\"\n}", "account \"fax\" {\n  email = \"fax@contoso.com\"\n}"}}}
	return r
}

func quietPart(key, name string) *planner.Part {
	return &planner.Part{
		Tenant: resource.Identity{Key: key, Name: name, PrimaryDomain: key + ".example"}, Status: planner.Ready, Serial: 3, Unchanged: 12,
		Proofs: []directory.Proof{{Complete: true, Source: "users", Objects: 15, Count: 15, At: noon}},
		Forecast: &planner.Forecast{Licences: planner.Licences{Before: 14, After: 14, Bought: 20, Buying: 20},
			Recipients: &planner.Recipients{Before: planner.Accepted{Accepted: 15}, After: planner.Accepted{Accepted: 15}}},
	}
}

func unreadablePart() *planner.Part {
	const module = `module.customer["fabrikam"].`
	return &planner.Part{
		Tenant: resource.Identity{Key: "fabrikam", Name: "Fabrikam", PrimaryDomain: "fabrikam.example"}, Status: planner.Ready, Serial: 2, Unchanged: 4,
		Changes: []*planner.Change{{
			Address: module + "domain.mail", Type: "domain", Action: planner.Unknown,
			After: object("name", cty.StringVal("fabrikam.example")), Reasons: []string{"could not be read: GET /orgs/fabrikam.example/domains: HTTP 500"},
		}},
		Problems: []string{"objects of type domain could not be read: GET /orgs/fabrikam.example/domains: vendor unavailable (HTTP 500, request 7f)"},
		Proofs:   []directory.Proof{{Complete: false, Source: "users", Objects: 100, Count: 140, Problem: "40 are missing", At: noon}},
		Accounts: &dirsync.Result{
			Problems: []string{"the directory read is not complete: 40 are missing"}, SkipCounts: map[string]int{"incomplete_read": 1},
			Skips: []dirsync.Skip{{Address: "leaver@fabrikam.example", Code: dirsync.SkipIncomplete}},
		},
		Forecast: &planner.Forecast{Licences: planner.Licences{Before: 9, After: 9, Bought: -1, Buying: -1}, Recipients: &planner.Recipients{Unknown: "the directory was not read completely"}},
	}
}

func erroredPart() *planner.Part {
	return &planner.Part{
		Tenant: resource.Identity{Key: "wingtip", Name: "Wingtip Toys", PrimaryDomain: "wingtip.example"}, Status: planner.Errored,
		Errors: []string{"the credentials of provider.essentials.us1 were refused (HTTP 401). Check ESSENTIALS_PASSWORD."},
	}
}

func rootPart() *planner.Part {
	return &planner.Part{
		Status: planner.Ready,
		Outputs: []planner.OutputChange{
			{Name: "domains", Before: cty.NilVal, After: strings2("contoso.com", "zürich.example")},
			{Name: "key", Before: cty.StringVal("old-" + canary), After: cty.StringVal(canary), Sensitive: true},
			{Name: "later", Before: cty.NilVal, After: cty.UnknownVal(cty.String)},
		},
	}
}

// emptyPlan differs in nothing.
func emptyPlan(tenants int) *planner.Plan {
	p := &planner.Plan{ID: "plan-0", Created: noon, Version: "0.1.0", Realm: "live"}
	for i := range tenants {
		p.Parts = append(p.Parts, quietPart(fmt.Sprintf("t%03d", i), fmt.Sprintf("Tenant %d", i)))
	}
	return p
}
