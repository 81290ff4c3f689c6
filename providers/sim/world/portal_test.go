package world

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestPortal(t *testing.T) {
	const nw = "northwind.example"
	org := func(w *World) *Organization { return w.Organization(nw) }
	tenant := func(w *World) *Tenant { return w.Tenant(nw) }
	for _, row := range []struct {
		edit  string
		check func(*World) bool
	}{
		{`{"organization":"northwind.example","set":{"is_active":false,"tech_contact":""}}`, func(w *World) bool { return !org(w).IsActive && org(w).TechContact == "" }},
		{`{"organization":"northwind.example","user":"CAROL@northwind.example","set":{"is_active":false,"alias_emails":["boss@northwind.example"]}}`, func(w *World) bool {
			u := org(w).User("boss@northwind.example")
			return u != nil && u.PrimaryEmail == "ceo@northwind.example" && !u.IsActive && org(w).User("carol@northwind.example") == nil
		}},
		{`{"organization":"northwind.example","user":"new@northwind.example","add":{"type":"functional_account","surname":"New"}}`, func(w *World) bool {
			u := org(w).User("new@northwind.example")
			return u != nil && u.Type == "functional_account" && u.IsActive && u.UID > 0
		}},
		{`{"organization":"northwind.example","user":"fax@northwind.example","remove":true}`, func(w *World) bool { return org(w).User("fax@northwind.example") == nil }},
		{`{"organization":"northwind.example","domain":"northwind-sales.example","set":{"is_relay":false}}`, func(w *World) bool { return !org(w).Domain("northwind-sales.example").IsRelay }},
		{`{"organization":"northwind.example","domain":"more.example","add":{}}`, func(w *World) bool { return w.Organization("more.example") == org(w) }},
		{`{"organization":"northwind.example","domain":"northwind-sales.example","remove":true}`, func(w *World) bool { return w.Organization("northwind-sales.example") == nil }},
		{`{"organization":"northwind.example","azure":{"sync_frequency":0}}`, func(w *World) bool { return org(w).Azure.Frequency == 0 && org(w).Azure.ADKey != "" }},
		{`{"organization":"northwind.example","azure":null}`, func(w *World) bool { return org(w).Azure == nil }},
		{`{"organization":"northwind.example","features":{"url_defense":false,"dlp":true,"anti_spoofing":null}}`, func(w *World) bool {
			f := org(w).Features
			_, spoof := f["anti_spoofing"]
			return f["url_defense"] == false && f["dlp"] == true && !spoof && f["attachment_defense"] == true
		}},
		{`{"organization":"northwind.example","login":{"allow_azure_login":false}}`, func(w *World) bool { return !org(w).Login.Azure && org(w).Login.Local }},
		{`{"organization":"northwind.example","mfa":{"is_mfa_enabled":true}}`, func(w *World) bool { return org(w).MFA.Enabled }},
		{`{"organization":"northwind.example","exemptions":{"add":["Bob@northwind.example"],"remove":["ceo@northwind.example"]}}`, func(w *World) bool {
			return slices.Contains(org(w).Exemptions, "bob@northwind.example") && !slices.Contains(org(w).Exemptions, "ceo@northwind.example") && slices.IsSorted(org(w).Exemptions)
		}},
		{`{"organization":"northwind.example","allow_list":["only.example"]}`, func(w *World) bool { return slices.Equal(org(w).Allow, []string{"only.example"}) }},
		{`{"organization":"northwind.example","remove":true}`, func(w *World) bool { return org(w) == nil }},
		{`{"tenant":"northwind.example","set":{"secrets_forbidden":true}}`, func(w *World) bool { return tenant(w).SecretsForbidden }},
		{`{"tenant":"northwind.example","person":"carol@northwind.example","set":{"enabled":false,"department":"Board"}}`, func(w *World) bool {
			p := tenant(w).Person("ceo@northwind.example")
			return !p.Enabled && p.Department == "Board" && p.Changed == w.Revision
		}},
		{`{"tenant":"northwind.example","person":"ceo@northwind.example","set":{"upn":"chief@northwind.example"}}`, func(w *World) bool {
			return tenant(w).Person("ceo@northwind.example") == nil && tenant(w).Person("chief@northwind.example") != nil
		}},
		{`{"tenant":"7d0c1c52-3c1b-4f3e-8a3b-5b1d6a2e9f01","person":"new@northwind.example","add":{"name":"New","department":"IT"}}`, func(w *World) bool {
			p := tenant(w).Person("new@northwind.example")
			return p != nil && p.Enabled && p.Department == "IT" && hasProxy(p.ProxyAddresses, "new@northwind.example")
		}},
		{`{"tenant":"northwind.example","person":"dmitri@northwind.example","remove":true}`, func(w *World) bool {
			d := tenant(w).Deleted[len(tenant(w).Deleted)-1]
			return tenant(w).Person("dmitri@northwind.example") == nil && d.Kind == "user" && !d.Permanent
		}},
		{`{"tenant":"northwind.example","group":"Board","set":{"name":"Directors"}}`, func(w *World) bool {
			return slices.ContainsFunc(tenant(w).Groups, func(g *Group) bool { return g.DisplayName == "Directors" && g.HiddenMembership })
		}},
		{`{"tenant":"northwind.example","group":"board@northwind.example","members":{"add":["dmitri@northwind.example"],"remove":["ceo@northwind.example"]}}`, func(w *World) bool {
			for _, g := range tenant(w).Groups {
				if g.DisplayName == "Board" {
					return len(g.Members) == 1 && g.Members[0] == tenant(w).Person("dmitri@northwind.example").ID && len(g.RemovedMembers) == 1
				}
			}
			return false
		}},
		{`{"tenant":"northwind.example","group":"news@northwind.example","add":{"name":"News"}}`, func(w *World) bool {
			return slices.ContainsFunc(tenant(w).Groups, func(g *Group) bool { return g.DisplayName == "News" && g.MailEnabled && !g.SecurityEnabled })
		}},
		{`{"tenant":"northwind.example","contact":"books@accountant.example","remove":true}`, func(w *World) bool { return len(tenant(w).Contacts) == 0 }},
		{`{"tenant":"northwind.example","domain":"nw-labs.example","remove":true}`, func(w *World) bool { return w.Tenant("nw-labs.example") == nil }},
		{`{"tenant":"northwind.example","application":"Proofpoint Azure AD Sync","set":{"notes":"touched","redirect_uris":[]}}`, func(w *World) bool {
			a := tenant(w).Applications[0]
			return a.Notes == "touched" && len(a.RedirectURIs) == 0 && len(a.Required) == 1
		}},
		{`{"tenant":"northwind.example","application":"Proofpoint Azure AD Sync","secret":"essentials","remove":true}`, func(w *World) bool { return len(tenant(w).Applications[0].Secrets) == 0 }},
		{`{"tenant":"northwind.example","application":"Proofpoint Azure AD Sync","remove":true}`, func(w *World) bool { return len(tenant(w).Applications) == 0 }},
		{`{"tenant":"northwind.example","service_principal":"MSP automation","set":{"enabled":false}}`, func(w *World) bool {
			return !tenant(w).ServicePrincipalByAppID(w.Automation.ClientID).Enabled
		}},
		{`{"tenant":"northwind.example","role":"29232cdf-9323-42fd-ade2-1d097af3e4de","principal":"MSP automation","remove":true}`, func(w *World) bool { return len(tenant(w).RoleAssignments) == 0 }},
		{`{"tenant":"northwind.example","grant":"Exchange.ManageAsApp","principal":"MSP automation","remove":true}`, func(w *World) bool {
			return !slices.ContainsFunc(tenant(w).AppRoleGrants, func(g *AppRoleGrant) bool {
				return g.AppRole == Permissions[ExchangeAppID]["Exchange.ManageAsApp"].Role
			})
		}},
		{`{"tenant":"northwind.example","inbound":"Inbound from ProofPoint","set":{"Enabled":false,"Comment":null,"Name":"Renamed"}}`, func(w *World) bool {
			o := tenant(w).Exchange.Inbound[1]
			_, comment := o.Values["Comment"]
			return o.Name == "Renamed" && o.Values["Enabled"] == false && !comment && o.Values["RequireTls"] == true
		}},
		{`{"tenant":"northwind.example","outbound":"Another","add":{"RecipientDomains":["*"]}}`, func(w *World) bool { return len(tenant(w).Exchange.Outbound) == 2 }},
		{`{"tenant":"northwind.example","outbound":"Proofpoint - Outbound","remove":true}`, func(w *World) bool { return len(tenant(w).Exchange.Outbound) == 0 }},
		{`{"tenant":"northwind.example","rule":"Bypass Spam Filter (PPE)","set":{"Priority":0,"SetSCL":5,"State":"Disabled"}}`, func(w *World) bool {
			o := tenant(w).Exchange.Rules[0]
			return o.Name == "Bypass Spam Filter (PPE)" && o.Values["SetSCL"] == 5.0 && o.Values["Enabled"] == false && len(tenant(w).Exchange.Rules) == 2
		}},
		{`{"tenant":"northwind.example","dynamic_list":"everyone-dynamic@northwind.example","remove":true}`, func(w *World) bool { return len(tenant(w).Exchange.DynamicLists) == 1 }},
		{`{"tenant":"northwind.example","connection_filter":{"EnableSafeList":true}}`, func(w *World) bool { return tenant(w).Exchange.Filter["EnableSafeList"] == true }},
		{`{"tenant":"northwind.example","organization_config":{"RejectDirectSend":true}}`, func(w *World) bool { return tenant(w).Exchange.Config["RejectDirectSend"] == true }},
		{`{"zone":"northwind.example","txt":["v=spf1 -all"],"mx":[]}`, func(w *World) bool {
			z := w.Zones[nw]
			return len(z.TXT[nw]) == 1 && len(z.MX) == 0
		}},
		{`{"zone":"new.example","name":"_dmarc.new.example","txt":["v=DMARC1"],"failing":false}`, func(w *World) bool { return len(w.Zones["new.example"].TXT["_dmarc.new.example"]) == 1 }},
		{`{"zone":"northwind.example","name":"autodiscover.northwind.example","cname":"autodiscover.outlook.com"}`, func(w *World) bool {
			return w.Zones[nw].CNAME["autodiscover.northwind.example"] == "autodiscover.outlook.com"
		}},
		{`{"switches":{"empty_list_is_noop":true}}`, func(w *World) bool { return w.Switches.EmptyListIsNoop }},
	} {
		t.Run(row.edit, func(t *testing.T) {
			w := day1()
			if err := w.Portal(json.RawMessage(row.edit)); err != nil {
				t.Fatal(err)
			}
			if !row.check(w) {
				t.Error("the world does not show the change")
			}
			if err := w.validate(); err != nil {
				t.Errorf("the edit left a world that cannot be read: %v", err)
			}
		})
	}
}

func TestPortalRestoresAPerson(t *testing.T) {
	w := day1()
	tn := w.Tenant("northwind.example")
	id := tn.Person("dmitri@northwind.example").ID
	err := w.Portal(json.RawMessage(`{"tenant":"northwind.example","person":"dmitri@northwind.example","remove":true}`),
		json.RawMessage(`{"tenant":"northwind.example","person":"dmitri@northwind.example","restore":true}`))
	if err != nil || tn.Person(id) == nil || tn.Person("dmitri@northwind.example").Surname != "Иванов" {
		t.Fatalf("%v", err)
	}
	if err := w.Portal(json.RawMessage(`{"tenant":"northwind.example","person":"dmitri@northwind.example","restore":true}`)); err == nil {
		t.Error("somebody who is there was restored")
	}
}

func TestPortalRefuses(t *testing.T) {
	for _, row := range []struct{ edit, known, text string }{
		{`{}`, "organization", ""},
		{`[]`, "", "cannot unmarshal"},
		{`{"organization":"nowhere.example","set":{}}`, "northwind.example", ""},
		{`{"organization":"northwind.example"}`, "user", ""},
		{`{"organization":"northwind.example","user":"nobody@northwind.example","set":{}}`, "ceo@northwind.example", ""},
		{`{"organization":"northwind.example","user":"ceo@northwind.example","set":{"active":true}}`, "is_active", ""},
		{`{"organization":"northwind.example","user":"ceo@northwind.example","set":{"is_active":"yes"}}`, "", "is_active"},
		{`{"organization":"northwind.example","user":"ceo@northwind.example"}`, "", "nothing to do"},
		{`{"organization":"northwind.example","user":"ceo@northwind.example","set":{},"remove":true}`, "", "both"},
		{`{"organization":"northwind.example","user":"ceo@northwind.example","remove":"yes"}`, "", "want true"},
		{`{"organization":"northwind.example","user":"ceo@northwind.example","add":{}}`, "", "exists already"},
		{`{"organization":"northwind.example","user":"ceo@northwind.example","remove":true,"colour":1}`, "set", "colour"},
		{`{"organization":"northwind.example","set":{"users":[]}}`, "is_active", ""},
		{`{"organization":"northwind.example","exemptions":{"remove":["nobody@x"]}}`, "ceo@northwind.example", ""},
		{`{"tenant":"nowhere.example","set":{}}`, "northwind.example", ""},
		{`{"tenant":"northwind.example","robot":"x","remove":true}`, "person", ""},
		{`{"tenant":"northwind.example","person":"new","add":{}}`, "", "user principal name"},
		{`{"tenant":"northwind.example","person":"ceo@northwind.example","set":{"upn":"it@northwind.example"}}`, "", "somebody else"},
		{`{"tenant":"northwind.example","group":"Nobody","members":{"add":[]}}`, "Board", ""},
		{`{"tenant":"northwind.example","group":"Board","members":{"add":["nobody@x"]}}`, "ceo@northwind.example", ""},
		{`{"tenant":"northwind.example","inbound":"Nothing","set":{}}`, "Scanner relay", ""},
		{`{"tenant":"northwind.example","inbound":"Scanner relay","set":{"Colour":"red"}}`, "SenderIPAddresses", ""},
		{`{"tenant":"northwind.example","rule":"External disclaimer","set":{"Priority":9}}`, "", "from 0 to 1"},
		{`{"tenant":"northwind.example","rule":"External disclaimer","set":{"Name":"Bypass Spam Filter (PPE)"}}`, "", "taken"},
		{`{"tenant":"northwind.example","grant":"World.Domination","principal":"MSP automation","add":{}}`, "Directory.Read.All", ""},
		{`{"tenant":"northwind.example","role":"x","principal":"nobody","add":{}}`, "MSP automation", ""},
		{`{"zone":"northwind.example","name":"elsewhere.example","txt":[]}`, "", "not in the zone"},
		{`{"zone":"northwind.example","srv":[]}`, "txt", ""},
		{`{"switches":{"colour":true}}`, "empty_list_is_noop", ""},
	} {
		t.Run(row.edit, func(t *testing.T) {
			w := day1()
			before, err := w.Comparable()
			if err != nil {
				t.Fatal(err)
			}
			err = w.Portal(json.RawMessage(row.edit))
			if err == nil {
				t.Fatal("the edit was accepted")
			}
			var u *UnknownError
			if row.known != "" && (!errors.As(err, &u) || !slices.Contains(u.Known, row.known)) {
				t.Errorf("%v: want %q among the names", err, row.known)
			}
			if !strings.Contains(err.Error(), row.text) {
				t.Errorf("%v: want %q in it", err, row.text)
			}
			if after, err := w.Comparable(); err != nil || string(after) != string(before) {
				t.Error("a refused edit changed the world")
			}
		})
	}
}
