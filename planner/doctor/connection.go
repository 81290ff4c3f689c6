package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync"
)

// location looks at where directory and organization are.
func (x *examination) location() {
	if name := planner.UnsupportedCloud(x.Observed.Cloud); name != "" {
		x.find("R2", x.Tenant.PrimaryDomain, "The directory is in "+name+", which Essentials does not support", "Ask the vendor before anything is set up; leave the accounts to account blocks:\n\n    engine = \"none\"")
	}
	if x.Tenant.Stack == "" {
		if x.clientID != "" {
			x.remind("R15", x.Tenant.PrimaryDomain, "The console is white-labelled: its vendor may have to approve or consent to the application separately", "Ask whoever runs the console, once")
		}
		return
	}
	if len(x.Stacks) > 0 && !slices.Contains(x.Stacks, x.Tenant.Stack) {
		x.find("R47", x.Tenant.PrimaryDomain, fmt.Sprintf("The domain is registered on %s, and the provider logs in at %s", strings.Join(x.Stacks, ", "), x.Tenant.Stack),
			fmt.Sprintf("In the provider block:\n\n    stack = %q", x.Stacks[0]))
	}
}

// connection looks at whether the hosted sync runs.
func (x *examination) connection() {
	if x.clientID == "" {
		return
	}
	frequency := text(x.settings, "hosted.frequency")
	scheduled := frequency != "" && frequency != "never"
	last, err := time.Parse(time.RFC3339, text(x.settings, "last_successful_sync"))
	ran := err == nil
	every, _ := time.ParseDuration(frequency)
	switch {
	case !ran && (scheduled || text(x.wantedSync, "engine") == dirsync.EngineEssentials):
		x.find("R59", "hosted sync", "It is configured and has never run: the first run is a person's", "In the console: User Management, Import & Sync, Azure Directory Sync (R16): save, look at the summary, then Sync Active Directory")
	case scheduled && x.Now.Sub(last) > 2*every+time.Hour:
		x.find("R48", "hosted sync", fmt.Sprintf("It is scheduled every %s and last succeeded on %s; whether the console shows green or grey says nothing about that", frequency, last.UTC().Format("2006-01-02 15:04")),
			"Look at secret and consent of the application, then run it once by hand and look at what it says")
	}
}

// login looks at whether people can log in to the console with Microsoft, and what happens when they cannot.
func (x *examination) login() {
	microsoft := text(x.tenant, "login.microsoft")
	local, localKnown := flag(x.tenant, "login.local")
	if microsoft != "allowed" && microsoft != "forced" {
		return
	}
	if x.clientID == "" && x.known("sync_policy") && x.settings != cty.NilVal {
		x.find("R49", "Microsoft login", "Login with Microsoft is "+microsoft+", and no connection to the directory is configured, which it needs", "Write the connection, with any engine:\n\n    connection {\n      application    = app_registration.NAME\n      primary_domain = \""+x.Tenant.PrimaryDomain+"\"\n    }")
	}
	alone := microsoft == "forced" || localKnown && !local
	if alone && localKnown && !local {
		x.find("R51", "Microsoft login", "Everybody is sent to Microsoft and logging in with an Essentials password is off: when Microsoft cannot be reached nobody gets in, and neither does Weir",
			"Keep the way back:\n\n    login {\n      local = true\n    }")
	}
	if !alone || x.people == nil {
		return
	}
	for _, a := range x.accounts() {
		if a.Active && a.Type.IsAdmin() && x.entry(a) == nil {
			x.find("R50", a.Address, "This administrator is sent to Microsoft, and the directory has nobody with an address of the account, so the login fails",
				"Give the account the address of a directory user, or do not force Microsoft login")
		}
	}
}

// twoFactor looks at whether administrators can receive a code.
func (x *examination) twoFactor() {
	if on, _ := flag(x.tenant, "mfa.enabled"); !on || x.people == nil {
		return
	}
	for _, a := range x.accounts() {
		if e := x.entry(a); a.Active && a.Type.IsAdmin() && e != nil && e.Mobile == "" {
			x.find("R54", a.Address, "A second factor is asked for, and the directory has no Mobile Number for this administrator: no code can be sent and the login fails",
				"In Entra: Users, "+e.UPN+", Contact information, Mobile phone")
		}
	}
}

// words looks for what only a person can tell.
func (x *examination) words() {
	frequency := text(x.settings, "hosted.frequency")
	if x.clientID != "" && frequency != "" && frequency != "never" && text(x.wantedTenant, "attest.tech_contact") == "" {
		x.remind("R28", x.Tenant.PrimaryDomain, "Without a Tech Contact on the account profile the console sets the schedule of the hosted sync to Never by itself, and no API shows the contact",
			"Look once, and say so in the tenant block:\n\n    attest {\n      tech_contact = \"noc@msp.example\"\n      by           = \"you\"\n      on           = \""+x.Now.UTC().Format(time.DateOnly)+"\"\n    }")
	}
	if allowed, _ := flag(x.wantedTenant, "attest.integrations_allowed"); x.Tenant.Parent != "" && !allowed {
		x.remind("R64", x.Tenant.Parent, "Whether this customer may use integrations is a switch of the partner account, for all its customers at once, and no API shows it",
			"Look once in the partner's console (Customer Management, Automation Settings, Integrations), and say so in the tenant block:\n\n    attest {\n      integrations_allowed = true\n      by                   = \"you\"\n      on                   = \""+x.Now.UTC().Format(time.DateOnly)+"\"\n    }")
	}
}
