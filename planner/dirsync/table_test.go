package dirsync

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/providers/directory"
)

// Each row builds a tenant around the managed, unchanged user zoe and says everything that is decided about it. Each
// row is also turned round (input order), carried out and decided again, and decided with incomplete reads.
var table = []struct {
	name string
	with func(f *fixture)
	want []string
}{
	{"nothing changed", func(f *fixture) { f.person("alice", "al") }, nil},

	// Adding.
	{"new user is added as end user", func(f *fixture) { f.entry("alice", directory.User) },
		[]string{"add alice end_user (directory)"}},
	{"new user under a changed policy is configuration", func(f *fixture) { f.entry("alice", directory.User); f.req.PolicyChanged = true },
		[]string{"add alice end_user (configuration)"}},
	{"new user is added as silent user", func(f *fixture) { f.entry("alice", directory.User); f.req.Policy.NewUserRole = directory.SilentUser },
		[]string{"add alice silent_user (directory)"}},
	{"an admin type is never given", func(f *fixture) {
		f.entry("alice", directory.User)
		f.req.Policy.NewUserRole = directory.OrganizationAdmin
	}, []string{"add alice end_user (directory)"}},
	{"add switched off", func(f *fixture) { f.entry("alice", directory.User); f.req.Policy.Users.Add = false },
		[]string{"skip alice add_off"}},
	{"groups.add does not matter to users", func(f *fixture) { f.entry("alice", directory.User); f.req.Policy.Groups.Add = false },
		[]string{"add alice end_user (directory)"}},
	{"active users not synchronised", func(f *fixture) { f.entry("alice", directory.User); f.req.Policy.SyncUsers = false },
		[]string{"skip alice not_synced", "skip zoe not_synced"}},
	{"unlicensed user with sign-in comes over", func(f *fixture) { f.entry("alice", directory.User).Licensed = false },
		[]string{"add alice end_user (directory)"}},
	{"no proxyAddresses", func(f *fixture) { e := f.entry("alice", directory.User); e.HasProxy = false; e.Address = "" },
		[]string{"skip o-alice no_proxy_address"}},
	{"no proxyAddresses although mail is filled", func(f *fixture) { f.entry("alice", directory.User).HasProxy = false },
		[]string{"skip alice no_proxy_address"}},
	{"proxyAddresses without primary", func(f *fixture) { e := f.entry("alice", directory.User, "al"); e.Address = "" },
		[]string{"skip o-alice no_primary_address"}},
	{"primary domain not registered", func(f *fixture) { f.entry("alice@x.com", directory.User, "alice@c.com") },
		[]string{"skip alice@x.com unregistered_domain"}},
	{"primary domain registered for management", func(f *fixture) { f.entry("alice@m.com", directory.User) },
		[]string{"add alice@m.com end_user (directory)"}},
	{"an address that is none", func(f *fixture) { f.entry("alice\x1b[2J@c.com", directory.User) },
		[]string{"skip alice\x1b[2j entry_invalid"}},
	{"an entry without object id", func(f *fixture) { f.entry("alice", directory.User).ObjectID = "" },
		[]string{"skip alice entry_invalid"}},
	{"upper case address", func(f *fixture) { f.entry("Alice@C.COM", directory.User) },
		[]string{"add alice end_user (directory)"}},
	{"guest", func(f *fixture) { f.entry("alice", directory.Guest) }, []string{"skip alice guest"}},
	{"contact", func(f *fixture) { f.entry("alice", directory.Contact) }, []string{"skip alice contact"}},
	{"guest without proxyAddresses is a guest first", func(f *fixture) { e := f.entry("alice", directory.Guest); e.HasProxy = false },
		[]string{"skip alice guest"}},
	{"dynamic distribution list", func(f *fixture) { f.entry("all", directory.DynamicDistributionGroup) },
		[]string{"skip all dynamic_group"}},
	{"shared mailbox whose sign-in was never blocked is none the less one", func(f *fixture) {
		e := f.entry("info", directory.SharedMailbox)
		e.Enabled, e.Licensed = true, true
	}, []string{"add info functional_account (directory)"}},
	{"a group's account deactivated in the portal", func(f *fixture) { f.place("team", directory.DistributionGroup).a.Active = false },
		[]string{"enable team (drift)"}},
	{"unknown kind, licensed and enabled, is a user", func(f *fixture) { f.entry("alice", directory.UnknownKind).Licensed = true },
		[]string{"add alice end_user (directory)"}},
	{"unknown kind, unlicensed", func(f *fixture) { f.entry("alice", directory.UnknownKind) },
		[]string{"skip alice unknown_kind"}},
	{"a kind nobody has heard of", func(f *fixture) { f.entry("alice", directory.Kind("robot")) },
		[]string{"skip alice unknown_kind"}},

	// Include.
	{"included", func(f *fixture) { f.req.Policy.Include = notKitchen(); f.entry("alice", directory.User) },
		[]string{"add alice end_user (directory)"}},
	{"not included", func(f *fixture) {
		f.req.Policy.Include = notKitchen()
		f.entry("alice", directory.User).Department = "Kitchen"
	}, []string{"skip alice not_included"}},
	{"include fails: no add", func(f *fixture) {
		f.req.Policy.Include = failing()
		f.entry("alice", directory.User).Department = "Kitchen"
	}, []string{"skip alice predicate_failed"}},
	{"include fails: managed account untouched", func(f *fixture) {
		f.req.Policy.Include = failing()
		f.req.Policy.OutOfScope = AsRemove
		p := f.person("alice")
		p.e.Department, p.e.Surname = "Kitchen", "Other"
	}, []string{"skip alice predicate_failed"}},
	{"fell out of include, kept", func(f *fixture) {
		f.req.Policy.Include = notKitchen()
		f.person("alice").e.Department = "Kitchen"
	}, []string{"skip alice not_included"}},
	{"fell out of include, removed", func(f *fixture) {
		f.req.Policy.Include, f.req.Policy.OutOfScope = notKitchen(), AsRemove
		f.person("alice").e.Department = "Kitchen"
	}, []string{"disable alice (directory) loses alice"}},
	{"include changed, removed", func(f *fixture) {
		f.req.Policy.Include, f.req.Policy.OutOfScope, f.req.PolicyChanged = notKitchen(), AsRemove, true
		f.person("alice").e.Department = "Kitchen"
	}, []string{"disable alice (configuration) loses alice"}},
	{"out of include and not managed: never removed", func(f *fixture) {
		f.req.Policy.Include, f.req.Policy.OutOfScope = notKitchen(), AsRemove
		p := f.person("alice")
		p.e.Department = "Kitchen"
		f.forget(p.k)
	}, []string{"skip alice not_included"}},
	{"out of include, removed, gone kept", func(f *fixture) {
		f.req.Policy.Include, f.req.Policy.OutOfScope, f.req.Policy.Gone = notKitchen(), AsRemove, AsKeep
		f.person("alice").e.Department = "Kitchen"
	}, []string{"skip alice gone_kept"}},
	{"shared mailboxes switched to skip: kept", func(f *fixture) {
		f.req.Policy.SharedMailboxes = AsSkip
		f.place("info", directory.SharedMailbox)
	}, []string{"skip info kind_skipped"}},
	{"shared mailboxes switched to skip: removed", func(f *fixture) {
		f.req.Policy.SharedMailboxes, f.req.Policy.OutOfScope = AsSkip, AsRemove
		f.place("info", directory.SharedMailbox)
	}, []string{"disable info (directory) loses info"}},
	{"groups no longer synchronised: removed", func(f *fixture) {
		f.req.Policy.SyncDistributionGroups, f.req.Policy.OutOfScope = false, AsRemove
		f.place("team", directory.DistributionGroup)
	}, []string{"disable team (directory) loses team"}},
	{"domain unregistered: a managed account is left alone", func(f *fixture) {
		f.req.Policy.OutOfScope = AsRemove
		p := f.person("alice@c.org")
		p.e.Surname = "Other"
		f.req.Domains = f.req.Domains[:1]
	}, []string{"skip alice@c.org unregistered_domain"}},
	{"proxyAddresses lost: a managed account is left alone", func(f *fixture) {
		f.req.Policy.OutOfScope = AsRemove
		p := f.person("alice", "al")
		p.e.HasProxy, p.e.Address, p.e.Aliases = false, "", nil
	}, []string{"skip alice no_proxy_address"}},
	{"became a guest: a managed account is left alone", func(f *fixture) {
		f.req.Policy.OutOfScope = AsRemove
		f.person("alice").e.Kind = directory.Guest
	}, []string{"skip alice guest"}},

	// Aliases.
	{"aliases on registered domains only", func(f *fixture) {
		f.entry("alice", directory.User, "al", "alice@x.com", "alice@c.org")
	}, []string{"add alice end_user (directory)"}},
	{"unregistered alias is no difference", func(f *fixture) {
		p := f.person("alice", "al")
		p.e.Aliases = []string{"al@c.com", "alice@x.com"}
	}, nil},
	{"alias added", func(f *fixture) { f.person("alice").e.Aliases = []string{"al@c.com"} },
		[]string{"update alice (directory)"}},
	{"alias removed in the directory", func(f *fixture) { f.person("alice", "al").e.Aliases = nil },
		[]string{"update alice (directory) loses al"}},
	{"alias removed of an inactive account loses nothing", func(f *fixture) {
		p := f.person("alice", "al")
		p.e.Enabled, p.a.Active, p.e.Aliases = false, false, nil
		p.k.Hash = Hash(p.a)
		f.req.Policy.BlockedSignIn = AsKeep
	}, []string{"update alice (directory)"}},
	{"alias domain unregistered by configuration", func(f *fixture) {
		f.person("alice", "alice@c.org")
		f.req.Domains, f.req.PolicyChanged = f.req.Domains[:1], true
	}, []string{"update alice (configuration) loses alice@c.org"}},
	{"alias removed in the portal is put back", func(f *fixture) { f.person("alice", "al").a.Aliases = nil },
		[]string{"update alice (drift)"}},
	{"alias added in the portal is foreign: kept and listed", func(f *fixture) {
		p := f.person("alice", "al")
		p.a.Aliases = []string{"al@c.com", "extra@c.com"}
	}, []string{"foreign alice extra"}},
	{"foreign alias survives a removed one", func(f *fixture) {
		p := f.person("alice", "al")
		p.a.Aliases = []string{"al@c.com", "extra@c.com"}
		p.e.Aliases = nil
	}, []string{"update alice (directory) loses al", "foreign alice extra"}},
	{"foreign alias survives adoption", func(f *fixture) {
		f.entry("alice", directory.User)
		f.account("alice", directory.EndUser, "hand")
	}, []string{"link alice o-alice", "foreign alice hand"}},

	// Updating.
	{"surname changed in the directory", func(f *fixture) { f.person("alice").e.Surname = "Other" },
		[]string{"update alice (directory)"}},
	{"surname changed in the portal", func(f *fixture) { f.person("alice").a.Surname = "Other" },
		[]string{"update alice (drift)"}},
	{"surname changed in both, to the same", func(f *fixture) { p := f.person("alice"); p.a.Surname, p.e.Surname = "Other", "Other" }, nil},
	{"surname empty in the directory keeps the account's", func(f *fixture) { f.person("alice").e.Surname = "" }, nil},
	{"update switched off", func(f *fixture) { f.person("alice").e.Surname = "Other"; f.req.Policy.Users.Update = false },
		[]string{"skip alice update_off"}},
	{"groups.update switched off", func(f *fixture) {
		f.place("team", directory.DistributionGroup).e.Aliases = []string{"crew@c.com"}
		f.req.Policy.Groups.Update = false
	}, []string{"skip team update_off"}},
	{"type changed in the portal between user types is kept", func(f *fixture) { f.person("alice").a.Type = directory.SilentUser }, nil},
	{"made admin in the portal: never moved", func(f *fixture) { f.person("alice").a.Type = directory.OrganizationAdmin }, nil},
	{"deactivated in the portal", func(f *fixture) { f.person("alice").a.Active = false },
		[]string{"enable alice (drift)"}},
	{"control characters in a name", func(f *fixture) { f.person("alice").e.GivenName = "alice\x1b\u202e" }, nil},
	{"a display name that says the same", func(f *fixture) {
		p := f.person("alice")
		p.e.GivenName, p.e.Surname = "", ""
	}, nil},
	{"changed a moment ago and not visible yet", func(f *fixture) {
		p := f.person("alice")
		p.e.Surname = "Other"
		b := *p.a
		b.Surname = "Other"
		p.k.Hash, p.k.SettleUntil = Hash(&b), now.Add(time.Minute)
	}, []string{"wait alice"}},
	{"settled long ago: drift", func(f *fixture) {
		p := f.person("alice")
		p.e.Surname = "Other"
		b := *p.a
		b.Surname = "Other"
		p.k.Hash, p.k.SettleUntil = Hash(&b), now.Add(-time.Minute)
	}, []string{"update alice (drift)"}},

	// Renaming.
	{"rename keeps the old address as alias", func(f *fixture) {
		p := f.person("alice")
		p.e.Address, p.e.Aliases = "alicia@c.com", []string{"alice@c.com"}
	}, []string{"rename alice -> alicia (directory)"}},
	{"rename that drops the old address", func(f *fixture) { f.person("alice").e.Address = "alicia@c.com" },
		[]string{"rename alice -> alicia (directory) loses alice"}},
	{"renamed in the portal is renamed back, the new address kept", func(f *fixture) { f.person("alice").a.Address = "alicia@c.com" },
		[]string{"rename alicia -> alice (drift)", "foreign alicia alicia"}},
	{"renamed in both the same way", func(f *fixture) {
		p := f.person("alice")
		p.a.Address, p.e.Address = "alicia@c.com", "alicia@c.com"
	}, []string{"link alicia o-alice"}},
	{"rename onto an unregistered domain", func(f *fixture) { f.person("alice").e.Address = "alice@x.com" },
		[]string{"skip alice unregistered_domain"}},
	{"rename onto the address of another account", func(f *fixture) {
		f.person("alice").e.Address = "hand@c.com"
		f.account("hand", directory.FunctionalAccount)
	}, []string{"skip alice collision", "skip hand collision"}},
	{"rename follows a rename out of the way", func(f *fixture) {
		f.person("alice").e.Address = "bob@c.com"
		p := f.person("bob")
		p.e.Address = "robert@c.com"
	}, []string{"rename alice -> bob (directory) loses alice needs bob", "rename bob -> robert (directory)"}},
	{"three rename in a row", func(f *fixture) {
		f.person("alice").e.Address = "bob@c.com"
		f.person("bob").e.Address = "carol@c.com"
		f.person("carol").e.Address = "dora@c.com"
	}, []string{"rename alice -> bob (directory) loses alice needs bob", "rename bob -> carol (directory) needs carol", "rename carol -> dora (directory)"}},
	{"renamed, and somebody new has the old address: one after the other", func(f *fixture) {
		f.person("alice").e.Address = "alicia@c.com"
		f.entry("alice", directory.User).ObjectID = "o-new"
	}, []string{"rename alice -> alicia (directory)", "wait alice"}},
	{"two swap addresses", func(f *fixture) {
		a, b := f.person("alice"), f.person("bob")
		a.e.Address, b.e.Address = b.e.Address, a.e.Address
	}, []string{"skip alice collision", "skip bob collision"}},
	{"alias moves from one to another", func(f *fixture) {
		a, b := f.person("alice", "info"), f.person("bob")
		a.e.Aliases, b.e.Aliases = nil, []string{"info@c.com"}
	}, []string{"update alice (directory)", "update bob (directory) needs alice"}},
	{"alias moves from an exempt account", func(f *fixture) {
		a, b := f.person("alice", "info"), f.person("bob")
		a.e.Aliases, b.e.Aliases = nil, []string{"info@c.com"}
		f.exempt(AsUnchanged, "alice@c.com")
	}, []string{"skip alice exempt", "skip bob collision"}},
	{"alias moves from one whom a person left out", func(f *fixture) {
		a, b := f.person("alice", "info"), f.person("bob")
		a.e.Aliases, b.e.Aliases = nil, []string{"info@c.com"}
		f.req.Skips["alice@c.com"] = time.Time{}
	}, []string{"skip alice left_out", "skip bob collision"}},
	{"alias moves to one who collides elsewhere: it stays", func(f *fixture) {
		a, b := f.person("alice", "info"), f.person("bob")
		a.e.Aliases, b.e.Aliases = nil, []string{"hand@c.com", "info@c.com"}
		f.account("hand", directory.FunctionalAccount)
	}, []string{"skip alice collision", "skip bob collision", "stray hand"}},
	{"alias becomes a new user's primary address", func(f *fixture) {
		f.person("alice", "info").e.Aliases = nil
		f.entry("info", directory.User)
	}, []string{"update alice (directory)", "add info end_user (directory) needs alice"}},

	// Collisions.
	{"two users with one primary address", func(f *fixture) {
		f.entry("alice", directory.User)
		f.entry("alice", directory.User).ObjectID = "o-other"
	}, []string{"skip alice collision", "skip alice collision"}},
	{"user and group with one primary address", func(f *fixture) {
		f.entry("alice", directory.User)
		f.entry("alice", directory.DistributionGroup).ObjectID = "o-other"
	}, []string{"skip alice collision", "skip alice collision"}},
	{"a guest does not collide", func(f *fixture) {
		f.entry("alice", directory.User)
		f.entry("alice", directory.Guest).ObjectID = "o-guest"
	}, []string{"add alice end_user (directory)", "skip alice guest"}},
	{"a managed user and a newcomer with one address", func(f *fixture) {
		f.person("alice").e.Surname = "Other"
		f.entry("alice", directory.User).ObjectID = "o-other"
	}, []string{"update alice (directory)", "skip alice collision"}},
	{"two newcomers claim one alias", func(f *fixture) {
		f.entry("alice", directory.User, "info")
		f.entry("bob", directory.User, "info")
		f.entry("carol", directory.User)
	}, []string{"add carol end_user (directory)", "skip alice collision", "skip bob collision"}},
	{"alias of one is primary of another, both new", func(f *fixture) {
		f.entry("alice", directory.User, "bob")
		f.entry("bob", directory.User)
	}, []string{"skip alice collision", "skip bob collision"}},
	{"alias of a newcomer is primary of a managed one", func(f *fixture) {
		f.entry("alice", directory.User, "zoe")
	}, []string{"skip alice collision"}},
	{"a hand-made account holds an alias", func(f *fixture) {
		f.person("alice").e.Aliases = []string{"hand@c.com"}
		f.account("hand", directory.FunctionalAccount)
	}, []string{"skip alice collision", "stray hand"}},
	{"a hand-made functional account at a newcomer's alias", func(f *fixture) {
		f.entry("alice", directory.User, "sales")
		f.account("sales", directory.FunctionalAccount)
	}, []string{"skip alice collision", "stray sales"}},
	{"a declared account has the alias", func(f *fixture) {
		f.person("alice").e.Aliases = []string{"desk@c.com"}
		f.req.Declared["desk@c.com"] = true
	}, []string{"skip alice collision"}},
	{"an object read twice with differing facts", func(f *fixture) {
		f.entry("alice", directory.User)
		f.entry("alicia", directory.User).ObjectID = "o-alice"
	}, []string{"skip alice collision", "skip alicia collision"}},
	{"an object read twice alike", func(f *fixture) {
		f.entry("alice", directory.User)
		f.entry("alice", directory.User)
	}, []string{"add alice end_user (directory)"}},

	// Blocked sign-in.
	{"blocked: becomes functional", func(f *fixture) { f.person("alice").e.Enabled = false },
		[]string{"convert alice functional_account (directory)"}},
	{"blocked: disabled", func(f *fixture) { f.person("alice", "al").e.Enabled = false; f.req.Policy.BlockedSignIn = AsDisable },
		[]string{"disable alice (directory) loses al,alice"}},
	{"blocked: kept", func(f *fixture) { f.person("alice").e.Enabled = false; f.req.Policy.BlockedSignIn = AsKeep }, nil},
	{"blocked: kept, still updated", func(f *fixture) {
		p := f.person("alice")
		p.e.Enabled, p.e.Surname = false, "Other"
		f.req.Policy.BlockedSignIn = AsKeep
	}, []string{"update alice (directory)"}},
	{"blocked and functional already", func(f *fixture) { f.place("alice", directory.User).e.Enabled = false }, nil},
	{"blocked and disabled already", func(f *fixture) {
		p := f.person("alice")
		p.e.Enabled, p.a.Active, p.e.Surname = false, false, "Other"
		p.k.Hash = Hash(p.a)
		f.req.Policy.BlockedSignIn = AsDisable
	}, nil},
	{"blocked and disabled by the hosted engine: functional again", func(f *fixture) {
		p := f.person("alice")
		p.e.Enabled, p.a.Active = false, false
		f.forget(p.k)
	}, []string{"convert alice functional_account active (directory)"}},
	{"blocked newcomer becomes an address without seat", func(f *fixture) { f.entry("alice", directory.User).Enabled = false },
		[]string{"add alice functional_account (directory)"}},
	{"blocked newcomer under disable", func(f *fixture) {
		f.entry("alice", directory.User).Enabled = false
		f.req.Policy.BlockedSignIn = AsDisable
	}, []string{"skip alice blocked_sign_in"}},
	{"blocked newcomer under keep", func(f *fixture) {
		f.entry("alice", directory.User).Enabled = false
		f.req.Policy.BlockedSignIn = AsKeep
	}, []string{"skip alice blocked_sign_in"}},
	{"blocked admin is never converted", func(f *fixture) {
		p := f.person("alice")
		p.e.Enabled, p.a.Type = false, directory.OrganizationAdmin
	}, []string{"skip alice admin"}},
	{"blocked admin under disable", func(f *fixture) {
		p := f.person("alice")
		p.e.Enabled, p.a.Type = false, directory.ChannelAdmin
		f.req.Policy.BlockedSignIn = AsDisable
	}, []string{"disable alice (directory) loses alice"}},
	{"blocked, update switched off", func(f *fixture) { f.person("alice").e.Enabled = false; f.req.Policy.Users.Update = false },
		[]string{"skip alice update_off"}},
	{"unblocked: converted back, because Weir converted it", func(f *fixture) { f.place("alice", directory.User).k.Converted = true },
		[]string{"convert alice end_user (directory)"}},
	{"unblocked: converted back, because Weir made it", func(f *fixture) { f.place("alice", directory.User).k.Created = true },
		[]string{"convert alice end_user (directory)"}},
	{"unblocked: converted back to the policy's role", func(f *fixture) {
		f.place("alice", directory.User).k.Converted = true
		f.req.Policy.NewUserRole = directory.SilentUser
	}, []string{"convert alice silent_user (directory)"}},
	{"unblocked: made functional by hand stays undecided", func(f *fixture) { f.place("alice", directory.User) },
		[]string{"skip alice undecided"}},
	{"unblocked: enabled", func(f *fixture) {
		p := f.person("alice")
		p.a.Active = false
		p.k.Hash = Hash(p.a)
	}, []string{"enable alice (directory)"}},

	// Shared mailboxes, rooms, equipment.
	{"shared mailbox is added functional", func(f *fixture) { f.entry("info", directory.SharedMailbox) },
		[]string{"add info functional_account (directory)"}},
	{"shared mailbox as user, in spite of its blocked sign-in", func(f *fixture) {
		f.entry("info", directory.SharedMailbox)
		f.req.Policy.SharedMailboxes, f.req.Policy.BlockedSignIn = AsUser, AsDisable
	}, []string{"add info end_user (directory)"}},
	{"shared mailbox skipped", func(f *fixture) { f.entry("info", directory.SharedMailbox); f.req.Policy.SharedMailboxes = AsSkip },
		[]string{"skip info kind_skipped"}},
	{"shared mailbox imported as user becomes functional", func(f *fixture) {
		e := f.entry("info", directory.SharedMailbox)
		f.record(e, f.account("info", directory.EndUser))
	}, []string{"convert info functional_account (directory)"}},
	{"shared mailbox imported as inactive user is adopted and works again", func(f *fixture) {
		f.entry("info", directory.SharedMailbox)
		f.account("info", directory.EndUser).Active = false
	}, []string{"convert info functional_account active (directory)"}},
	{"shared mailbox never disabled for blocked sign-in", func(f *fixture) {
		f.place("info", directory.SharedMailbox)
		f.req.Policy.BlockedSignIn = AsDisable
	}, nil},
	{"user mailbox made shared", func(f *fixture) {
		p := f.person("alice")
		p.e.Kind, p.e.Enabled, p.e.Licensed = directory.SharedMailbox, false, false
	}, []string{"convert alice functional_account (directory)"}},
	{"room is added functional", func(f *fixture) { f.entry("room1", directory.Room) },
		[]string{"add room1 functional_account (directory)"}},
	{"room skipped", func(f *fixture) { f.entry("room1", directory.Room); f.req.Policy.Rooms = AsSkip },
		[]string{"skip room1 kind_skipped"}},
	{"equipment follows rooms", func(f *fixture) { f.entry("beamer", directory.Equipment); f.req.Policy.Rooms = AsUser },
		[]string{"add beamer end_user (directory)"}},
	{"equipment never disabled for blocked sign-in", func(f *fixture) {
		f.place("beamer", directory.Equipment)
		f.req.Policy.BlockedSignIn = AsDisable
	}, nil},
	{"mailboxes follow active users", func(f *fixture) { f.entry("info", directory.SharedMailbox); f.req.Policy.SyncUsers = false },
		[]string{"skip info not_synced", "skip zoe not_synced"}},

	// Groups.
	{"distribution group", func(f *fixture) { f.entry("team", directory.DistributionGroup, "crew") },
		[]string{"add team functional_account (directory)"}},
	{"distribution groups off", func(f *fixture) {
		f.entry("team", directory.DistributionGroup)
		f.req.Policy.SyncDistributionGroups = false
	}, []string{"skip team not_synced"}},
	{"security group", func(f *fixture) {
		f.entry("team", directory.SecurityGroup)
		f.req.Policy.SyncDistributionGroups = false
	},
		[]string{"add team functional_account (directory)"}},
	{"security groups off", func(f *fixture) { f.entry("team", directory.SecurityGroup); f.req.Policy.SyncSecurityGroups = false },
		[]string{"skip team not_synced"}},
	{"Microsoft 365 group follows distribution groups", func(f *fixture) { f.entry("team", directory.Microsoft365Group) },
		[]string{"add team functional_account (directory)"}},
	{"Microsoft 365 group off", func(f *fixture) {
		f.entry("team", directory.Microsoft365Group)
		f.req.Policy.SyncDistributionGroups = false
	}, []string{"skip team not_synced"}},
	{"groups.add off", func(f *fixture) { f.entry("team", directory.DistributionGroup); f.req.Policy.Groups.Add = false },
		[]string{"skip team add_off"}},
	{"group that is a user in Essentials becomes functional", func(f *fixture) {
		e := f.entry("team", directory.DistributionGroup)
		f.record(e, f.account("team", directory.EndUser))
	}, []string{"convert team functional_account (directory)"}},
	{"group made by hand is adopted", func(f *fixture) {
		f.entry("team", directory.DistributionGroup)
		f.account("team", directory.FunctionalAccount)
	}, []string{"link team o-team"}},
	{"group gone", func(f *fixture) { f.drop(f.place("team", directory.DistributionGroup).e) },
		[]string{"disable team (directory) loses team"}},
	{"group gone, groups.remove off", func(f *fixture) {
		f.drop(f.place("team", directory.DistributionGroup).e)
		f.req.Policy.Groups.Remove = false
	}, []string{"skip team remove_off"}},
	{"functional account of unknown kind counts as group", func(f *fixture) {
		p := f.place("team", directory.DistributionGroup)
		f.drop(p.e)
		p.k.Kind, p.k.Created = "", true
		f.req.Policy.Groups.Remove = false
	}, []string{"skip team remove_off"}},

	// Leaving.
	{"gone: disabled", func(f *fixture) { f.leaver("alice", "al") },
		[]string{"disable alice (directory) loses al,alice"}},
	{"gone: functional", func(f *fixture) { f.leaver("alice"); f.req.Policy.Gone = AsFunctional },
		[]string{"convert alice functional_account (directory)"}},
	{"gone: functional, disabled before", func(f *fixture) {
		p := f.leaver("alice")
		p.a.Active, p.k.Disabled, p.k.GoneSince = false, true, now.Add(-dayLong)
		p.k.Hash = Hash(p.a)
		f.req.Policy.Gone = AsFunctional
	}, []string{"convert alice functional_account active (directory)"}},
	{"gone: kept", func(f *fixture) { f.leaver("alice"); f.req.Policy.Gone = AsKeep },
		[]string{"skip alice gone_kept"}},
	{"gone: deleted at once", func(f *fixture) { f.leaver("alice"); f.req.Policy.Gone, f.req.Policy.DeleteAfter = AsDelete, 0 },
		[]string{"delete alice (directory) loses alice"}},
	{"gone: deleted after a while, clock starts", func(f *fixture) { f.leaver("alice"); f.req.Policy.Gone = AsDelete },
		[]string{"skip alice grace", "clock alice starts"}},
	{"gone: deleted after a while, clock runs", func(f *fixture) {
		f.leaver("alice").k.GoneSince = now.Add(-29 * dayLong)
		f.req.Policy.Gone = AsDelete
	}, []string{"skip alice grace"}},
	{"gone: deleted after a while, clock ran out", func(f *fixture) {
		f.leaver("alice").k.GoneSince = now.Add(-31 * dayLong)
		f.req.Policy.Gone = AsDelete
	}, []string{"delete alice (directory) loses alice"}},
	{"gone, users.remove off", func(f *fixture) { f.leaver("alice"); f.req.Policy.Users.Remove = false },
		[]string{"skip alice remove_off"}},
	{"gone and disabled, grace runs", func(f *fixture) {
		p := f.leaver("alice")
		p.a.Active, p.k.GoneSince, p.k.Disabled = false, now.Add(-29*dayLong), true
		p.k.Hash = Hash(p.a)
	}, []string{"skip alice grace"}},
	{"gone and disabled, grace over", func(f *fixture) {
		p := f.leaver("alice")
		p.a.Active, p.k.GoneSince, p.k.Disabled = false, now.Add(-30*dayLong), true
		p.k.Hash = Hash(p.a)
	}, []string{"delete alice (directory)"}},
	{"gone and disabled, no delete_after", func(f *fixture) {
		p := f.leaver("alice")
		p.a.Active, p.k.GoneSince = false, now.Add(-300*dayLong)
		f.req.Policy.DeleteAfter = 0
	}, []string{"skip alice grace"}},
	{"gone and inactive before: only the clock starts", func(f *fixture) {
		p := f.leaver("alice")
		p.a.Active = false
		p.k.Hash = Hash(p.a)
	}, []string{"skip alice grace", "clock alice starts"}},
	{"gone, disabled, enabled in the portal: disabled again, clock anew", func(f *fixture) {
		p := f.leaver("alice")
		b := *p.a
		b.Active = false
		p.k.Hash, p.k.Disabled, p.k.GoneSince = Hash(&b), true, now.Add(-40*dayLong)
	}, []string{"disable alice (drift) loses alice"}},
	{"gone and functional, grace over", func(f *fixture) {
		p := f.leaver("alice")
		p.a.Type, p.k.Converted, p.k.GoneSince = directory.FunctionalAccount, true, now.Add(-40*dayLong)
		f.req.Policy.Gone = AsFunctional
	}, []string{"delete alice (directory) loses alice"}},
	{"gone and functional, no delete_after: stays", func(f *fixture) {
		p := f.leaver("alice")
		p.a.Type, p.k.Converted, p.k.GoneSince = directory.FunctionalAccount, true, now.Add(-400*dayLong)
		f.req.Policy.Gone, f.req.Policy.DeleteAfter = AsFunctional, 0
	}, []string{"skip alice grace"}},
	{"gone admin is not made functional", func(f *fixture) {
		f.leaver("alice").a.Type = directory.OrganizationAdmin
		f.req.Policy.Gone = AsFunctional
	}, []string{"skip alice admin"}},
	{"gone person whom somebody made functional by hand", func(f *fixture) {
		f.drop(f.place("alice", directory.User).e)
	}, []string{"skip alice gone_kept"}},
	{"gone and account gone too: forgotten", func(f *fixture) { p := f.leaver("alice"); f.vanish(p.a) },
		[]string{"forget alice"}},
	{"gone, policy changed under a kept leaver", func(f *fixture) {
		f.leaver("alice").k.GoneSince = now.Add(-40 * dayLong)
		f.req.PolicyChanged = true
	}, []string{"disable alice (configuration) loses alice"}},
	{"leaver is back: enabled", func(f *fixture) {
		p := f.person("alice")
		p.a.Active, p.k.GoneSince, p.k.Disabled = false, now.Add(-5*dayLong), true
		p.k.Hash = Hash(p.a)
	}, []string{"enable alice (directory)"}},
	{"leaver is back: turned into a user again", func(f *fixture) {
		p := f.person("alice")
		p.a.Type, p.k.Converted, p.k.GoneSince = directory.FunctionalAccount, true, now.Add(-5*dayLong)
		p.k.Hash = Hash(p.a)
	}, []string{"convert alice end_user (directory)"}},
	{"leaver is back before anything happened: the clock stops", func(f *fixture) {
		f.person("alice").k.GoneSince = now.Add(-5 * dayLong)
	}, []string{"clock alice stops"}},
	{"made again under a new object id", func(f *fixture) { f.person("alice").e.ObjectID = "o-new" },
		[]string{"link alice o-new"}},
	{"made again under a new object id, and changed", func(f *fixture) {
		p := f.person("alice")
		p.e.ObjectID, p.e.Surname = "o-new", "Other"
	}, []string{"update alice (directory)"}},

	{"gone, and the successor got the address as alias: it goes on receiving", func(f *fixture) {
		f.leaver("alice")
		f.person("bob").e.Aliases = []string{"alice@c.com"}
	}, []string{"skip alice collision", "skip bob collision"}},
	{"gone and deleted at once, and the successor got the address as alias", func(f *fixture) {
		f.leaver("alice")
		f.person("bob").e.Aliases = []string{"alice@c.com"}
		f.req.Policy.Gone, f.req.Policy.DeleteAfter = AsDelete, 0
	}, []string{"delete alice (directory)", "update bob (directory) needs alice"}},
	{"gone, and a guest has the address", func(f *fixture) {
		f.leaver("alice")
		f.entry("guest", directory.Guest, "alice")
	}, []string{"disable alice (directory) loses alice", "skip guest guest"}},
	{"gone after a rename in the portal, and another entry has that address", func(f *fixture) {
		f.leaver("alice").a.Address = "bob@c.com"
		f.entry("bob", directory.User)
	}, []string{"update bob (drift)"}},
	{"an alias moves to somebody whose update is off: it stays", func(f *fixture) {
		f.person("alice", "info").e.Aliases = nil
		f.place("team", directory.DistributionGroup).e.Aliases = []string{"info@c.com"}
		f.req.Policy.Groups.Update = false
	}, []string{"skip alice collision", "skip team update_off"}},

	{"renamed in both the same way, and somebody new has the old address", func(f *fixture) {
		p := f.person("alice")
		p.a.Address, p.e.Address = "alicia@c.com", "alicia@c.com"
		f.entry("alice", directory.User).ObjectID = "o-new"
	}, []string{"add alice end_user (directory)", "link alicia o-alice"}},
	{"renamed by hand and left alone, and somebody new has the old address", func(f *fixture) {
		p := f.person("alice")
		p.a.Address, p.e.Address = "alicia@c.com", "alicia@c.com"
		p.e.HasProxy = false
		f.entry("alice", directory.User).ObjectID = "o-new"
	}, []string{"skip alice collision", "skip alicia no_proxy_address"}},

	// Vanished accounts.
	{"account deleted in the portal is made again", func(f *fixture) { p := f.person("alice"); f.vanish(p.a) },
		[]string{"add alice end_user (drift)"}},
	{"functional account deleted in the portal is made again", func(f *fixture) {
		p := f.place("info", directory.SharedMailbox)
		f.vanish(p.a)
	}, []string{"add info functional_account (drift)"}},
	{"account made a moment ago is not visible yet", func(f *fixture) {
		p := f.person("alice")
		p.k.SettleUntil = now.Add(time.Minute)
		f.vanish(p.a)
	}, []string{"wait alice"}},
	{"account deleted in the portal, add off", func(f *fixture) {
		p := f.person("alice")
		f.vanish(p.a)
		f.req.Policy.Users.Add = false
	}, []string{"skip alice add_off"}},
	{"account made again by hand under a new id", func(f *fixture) { f.person("alice").a.UID = 7 }, nil},
	{"a user made again by hand is the leaver's all the same", func(f *fixture) {
		p := f.leaver("alice")
		p.k.Created = true
		p.a.UID = 7
	}, []string{"disable alice (directory) loses alice"}},
	{"a functional account made by hand in place of ours is a person's matter", func(f *fixture) {
		p := f.person("alice")
		p.k.Created = true
		f.vanish(p.a)
		f.account("alice", directory.FunctionalAccount).UID = 7
	}, []string{"skip alice undecided"}},
	{"a functional account made by hand in place of the leaver's goes on receiving", func(f *fixture) {
		p := f.leaver("alice")
		p.k.Created = true
		f.vanish(p.a)
		f.account("alice", directory.FunctionalAccount).UID = 7
	}, []string{"skip alice gone_kept"}},
	{"and so does one in place of what Weir had converted", func(f *fixture) {
		p := f.leaver("alice")
		p.k.Converted = true
		f.vanish(p.a)
		f.account("alice", directory.FunctionalAccount).UID = 7
	}, []string{"skip alice gone_kept"}},
	{"the one that Weir made is disabled", func(f *fixture) {
		p := f.leaver("alice")
		p.k.Created = true
		p.a.Type = directory.FunctionalAccount
	}, []string{"disable alice (directory) loses alice"}},
	{"a user in place of what Weir had converted is drift", func(f *fixture) {
		p := f.place("alice", directory.SharedMailbox)
		p.k.Converted = true
		p.a.Type, p.a.UID = directory.EndUser, 7
	}, []string{"convert alice functional_account (drift)"}},

	{"an addition in doubt that did not happen is no drift", func(f *fixture) {
		f.entry("alice", directory.User)
		f.known = append(f.known, &Known{Address: "alice@c.com", Policy: policyAddress, Created: true})
	}, []string{"add alice end_user (directory)"}},
	{"an addition in doubt that did happen is taken over", func(f *fixture) {
		p := f.person("alice")
		*p.k = Known{Address: "alice@c.com", Policy: policyAddress, Created: true}
	}, []string{"link alice o-alice"}},

	// Adoption.
	{"adopted by primary address", func(f *fixture) { p := f.person("alice"); f.forget(p.k) },
		[]string{"link alice o-alice"}},
	{"adopted with differences", func(f *fixture) { p := f.person("alice"); f.forget(p.k); p.e.Surname = "Other" },
		[]string{"update alice (directory)"}},
	{"adopted by the account's alias, renamed", func(f *fixture) {
		f.entry("alice", directory.User)
		f.account("alicia", directory.EndUser, "alice")
	}, []string{"rename alicia -> alice (directory)", "foreign alicia alicia"}},
	{"adopted by the entry's alias, renamed", func(f *fixture) {
		f.entry("alice", directory.User, "alicia")
		f.account("alicia", directory.EndUser)
	}, []string{"rename alicia -> alice (directory)"}},
	{"two accounts could be hers", func(f *fixture) {
		f.entry("alice", directory.User, "alicia", "ally")
		f.account("alicia", directory.EndUser)
		f.account("ally", directory.EndUser)
	}, []string{"skip alice collision"}},
	{"two people could own it", func(f *fixture) {
		f.entry("alice", directory.User, "shared")
		f.entry("bob", directory.User, "shared")
		f.account("shared", directory.EndUser)
	}, []string{"skip alice collision", "skip bob collision"}},
	{"functional account by hand at a user's address", func(f *fixture) {
		f.entry("alice", directory.User)
		f.account("alice", directory.FunctionalAccount)
	}, []string{"skip alice undecided"}},
	{"functional account by hand at a blocked user's address fits", func(f *fixture) {
		f.entry("alice", directory.User).Enabled = false
		f.account("alice", directory.FunctionalAccount)
	}, []string{"link alice o-alice"}},
	{"functional account by hand at a blocked user's address, under disable", func(f *fixture) {
		f.entry("alice", directory.User).Enabled = false
		f.account("alice", directory.FunctionalAccount)
		f.req.Policy.BlockedSignIn = AsDisable
	}, []string{"skip alice undecided"}},
	{"functional account by hand whose alias is a user's address", func(f *fixture) {
		f.entry("alice", directory.User)
		f.account("desk", directory.FunctionalAccount, "alice")
	}, []string{"skip desk undecided"}},
	{"functional account by hand at a shared mailbox's address", func(f *fixture) {
		f.entry("info", directory.SharedMailbox)
		f.account("info", directory.FunctionalAccount)
	}, []string{"link info o-info"}},
	{"inactive account adopted and enabled", func(f *fixture) {
		f.entry("alice", directory.User)
		f.account("alice", directory.EndUser).Active = false
	}, []string{"enable alice (directory)"}},
	{"admin adopted as it is", func(f *fixture) {
		f.entry("alice", directory.User)
		f.account("alice", directory.OrganizationAdmin)
	}, []string{"link alice o-alice"}},
	{"managed by another policy before", func(f *fixture) { f.person("alice").k.Policy = "sync_policy.old" },
		[]string{"link alice o-alice"}},
	{"managed by another policy, and gone", func(f *fixture) { f.leaver("alice").k.Policy = "sync_policy.old" },
		[]string{"skip alice gone_kept"}},

	// Strays.
	{"stray is listed", func(f *fixture) { f.account("old", directory.EndUser) }, []string{"stray old"}},
	{"stray is adopted and disabled", func(f *fixture) {
		f.account("old", directory.EndUser)
		f.req.Policy.Strays = AsAdopt
	}, []string{"disable old (directory) loses old"}},
	{"inactive stray is adopted, its clock starts", func(f *fixture) {
		f.account("old", directory.EndUser).Active = false
		f.req.Policy.Strays = AsAdopt
	}, []string{"link old "}},
	{"functional stray is listed anyway", func(f *fixture) {
		f.account("old", directory.FunctionalAccount)
		f.req.Policy.Strays = AsAdopt
	}, []string{"stray old"}},
	{"admin stray is listed anyway", func(f *fixture) {
		f.account("old", directory.OrganizationAdmin)
		f.req.Policy.Strays = AsAdopt
	}, []string{"stray old"}},
	{"adopted stray after strays went back to list", func(f *fixture) { f.record(nil, f.account("old", directory.EndUser)) },
		[]string{"skip old gone_kept"}},
	{"stray whose person appears", func(f *fixture) {
		f.record(nil, f.account("alice", directory.EndUser))
		f.entry("alice", directory.User)
	}, []string{"link alice o-alice"}},

	{"two records of one object: the second is left alone", func(f *fixture) {
		f.person("alice")
		f.record(&directory.Entry{ObjectID: "o-alice", Kind: directory.User}, f.account("alicia", directory.EndUser))
	}, []string{"skip alicia collision"}},

	// Exemptions and declared accounts.
	{"exempt: unchanged though blocked", func(f *fixture) { f.person("alice").e.Enabled = false; f.exempt(AsUnchanged, "alice@c.com") },
		[]string{"skip alice exempt"}},
	{"exempt: unchanged though gone", func(f *fixture) { f.leaver("alice"); f.exempt(AsUnchanged, "alice@c.com") },
		[]string{"skip alice exempt"}},
	{"exempt by alias", func(f *fixture) { f.leaver("alice", "al"); f.exempt(AsUnchanged, "AL@c.com") },
		[]string{"skip alice exempt"}},
	{"exempt: a newcomer is not added", func(f *fixture) { f.entry("alice", directory.User); f.exempt(AsUnchanged, "alice@c.com") },
		[]string{"skip alice exempt"}},
	{"exempt follows a rename by object id", func(f *fixture) {
		f.person("alice").e.Address = "alicia@c.com"
		f.exempt(AsUnchanged, "alice@c.com")
	}, []string{"skip alice exempt"}},
	{"exempt follows a rename in the portal", func(f *fixture) {
		f.person("alice").a.Address = "alicia@c.com"
		f.exempt(AsUnchanged, "alice@c.com")
	}, []string{"skip alicia exempt"}},
	{"exempt by bound account id", func(f *fixture) {
		p := f.leaver("alice")
		f.exempt(AsUnchanged, "former@c.com").UIDs = []int{p.a.UID}
	}, []string{"skip alice exempt"}},
	{"exempt by bound object id", func(f *fixture) {
		f.person("alice").e.Enabled = false
		f.exempt(AsUnchanged, "former@c.com").ObjectIDs = []string{"o-alice"}
	}, []string{"skip alice exempt"}},
	{"exempt past its end goes on protecting", func(f *fixture) {
		f.leaver("alice")
		f.exempt(AsUnchanged, "alice@c.com").Expires = now.Add(-dayLong)
	}, []string{"skip alice exempt"}},
	{"exempt by pattern", func(f *fixture) {
		f.leaver("svc-backup")
		f.leaver("service")
		f.exempt(AsUnchanged).Patterns = patterns("SVC-*@c.com")
	}, []string{"disable service (directory) loses service", "skip svc-backup exempt"}},
	{"exempt by pattern on an alias of the account", func(f *fixture) {
		f.leaver("alice", "svc-alice")
		f.exempt(AsUnchanged).Patterns = patterns("svc-*@c.com")
	}, []string{"skip alice exempt"}},
	{"exempt by pattern as functional account", func(f *fixture) {
		f.person("svc-backup")
		f.exempt(AsFunctional).Patterns = patterns("svc-*@c.com")
	}, []string{"convert svc-backup functional_account (configuration)"}},
	{"a pattern that leaves it alone counts before one that converts", func(f *fixture) {
		f.person("svc-backup")
		f.exempt(AsFunctional).Patterns = patterns("svc-*@c.com")
		f.exempt(AsUnchanged).Patterns = patterns("*-backup@c.com")
	}, []string{"skip svc-backup exempt"}},
	{"a pattern does not follow a rename out of it", func(f *fixture) {
		p := f.person("svc-backup")
		p.e.Address, p.e.UPN = "backup@c.com", "backup@c.com"
		f.exempt(AsUnchanged).Patterns = patterns("svc-*@x.com")
	}, []string{"rename svc-backup -> backup (directory) loses svc-backup"}},
	{"exempt by predicate", func(f *fixture) {
		p := f.person("alice")
		p.e.Enabled, p.e.Department = false, "Board"
		f.exempt(AsUnchanged).When = predicate{"board", func(e *directory.Entry) (bool, error) { return e.Department == "Board", nil }}
	}, []string{"skip alice exempt"}},
	{"exempt by predicate that fails", func(f *fixture) {
		p := f.person("alice")
		p.e.Enabled, p.e.Department = false, "Kitchen"
		f.exempt(AsUnchanged).When = predicate{"broken", func(e *directory.Entry) (bool, error) {
			if e.Department == "Kitchen" {
				return false, errTest
			}
			return false, nil
		}}
	}, []string{"skip alice predicate_failed"}},
	{"exempt by group", func(f *fixture) {
		f.person("alice").e.Enabled = false
		g := f.place("vip", directory.SecurityGroup)
		g.e.Members = []string{"o-alice"}
		f.exempt(AsUnchanged).Groups = []string{"vip Test"}
	}, []string{"skip alice exempt"}},
	{"exempt by nested group that contains itself", func(f *fixture) {
		f.person("alice").e.Enabled = false
		outer, inner := f.place("outer", directory.SecurityGroup), f.place("inner", directory.SecurityGroup)
		outer.e.Members, inner.e.Members = []string{"o-inner"}, []string{"o-alice", "o-outer"}
		f.exempt(AsUnchanged).Groups = []string{"outer@c.com"}
	}, []string{"skip alice exempt", "skip inner exempt", "skip outer exempt"}},
	{"exempt by missing group keeps its last members", func(f *fixture) {
		f.person("alice").e.Enabled = false
		p := f.exempt(AsUnchanged)
		p.Groups, p.Last = []string{"vip"}, []string{"alice@c.com"}
	}, []string{"skip alice exempt"}},
	{"exempt by what state remembers of a predicate", func(f *fixture) {
		f.person("alice").e.Enabled = false
		f.exempt(AsUnchanged).Last = []string{"Alice@c.com"}
	}, []string{"skip alice exempt"}},
	{"exempt by missing group, last members unknown: nothing destructive", func(f *fixture) {
		f.person("alice").e.Enabled = false
		f.leaver("bob")
		f.exempt(AsUnchanged).Groups = []string{"vip"}
	}, []string{"skip alice incomplete_read", "skip bob incomplete_read"}},
	{"exempt by ambiguous group keeps its last members", func(f *fixture) {
		f.person("alice").e.Enabled = false
		f.place("vip", directory.SecurityGroup)
		f.place("vip2", directory.SecurityGroup).e.Name = "vip Test"
		f.req.Directory.Entries[len(f.req.Directory.Entries)-1].GivenName = "vip2"
		f.req.Directory.Entries[len(f.req.Directory.Entries)-1].Surname = "Test"
		p := f.exempt(AsUnchanged)
		p.Groups, p.Last = []string{"vip Test"}, []string{"alice@c.com"}
	}, []string{"skip alice exempt"}},
	{"exempt by shrunken group keeps its last members", func(f *fixture) {
		for _, n := range []string{"a1", "a2", "a3"} {
			f.person(n).e.Enabled = false
		}
		f.place("vip", directory.SecurityGroup).e.Members = []string{"o-a3"}
		p := f.exempt(AsUnchanged)
		p.Groups, p.Last = []string{"vip Test"}, []string{"a1@c.com", "a2@c.com", "a3@c.com"}
	}, []string{"skip a1 exempt", "skip a2 exempt", "skip a3 exempt"}},
	{"exempt by group that lost one member", func(f *fixture) {
		for _, n := range []string{"a1", "a2", "a3"} {
			f.person(n).e.Enabled = false
		}
		f.place("vip", directory.SecurityGroup).e.Members = []string{"o-a2", "o-a3"}
		p := f.exempt(AsUnchanged)
		p.Groups, p.Last = []string{"vip Test"}, []string{"a1@c.com", "a2@c.com", "a3@c.com"}
	}, []string{"convert a1 functional_account (directory)", "skip a2 exempt", "skip a3 exempt"}},
	{"exempt as functional: user converted", func(f *fixture) { f.person("alice"); f.exempt(AsFunctional, "alice@c.com") },
		[]string{"convert alice functional_account (configuration)"}},
	{"exempt as functional: leaver keeps receiving", func(f *fixture) { f.leaver("alice", "al"); f.exempt(AsFunctional, "alice@c.com") },
		[]string{"convert alice functional_account (configuration)"}},
	{"exempt as functional: inactive leaver receives again", func(f *fixture) {
		p := f.leaver("alice")
		p.a.Active = false
		f.exempt(AsFunctional, "alice@c.com")
	}, []string{"convert alice functional_account active (configuration)"}},
	{"exempt as functional: is one already", func(f *fixture) {
		f.entry("alice", directory.User)
		f.account("alice", directory.FunctionalAccount)
		f.exempt(AsFunctional, "alice@c.com")
	}, []string{"skip alice exempt"}},
	{"exempt as functional: turned back in the portal", func(f *fixture) {
		f.person("alice").k.Converted = true
		f.exempt(AsFunctional, "alice@c.com")
	}, []string{"convert alice functional_account (drift)"}},
	{"exempt as functional: admin is never moved", func(f *fixture) {
		f.person("alice").a.Type = directory.OrganizationAdmin
		f.exempt(AsFunctional, "alice@c.com")
	}, []string{"skip alice admin"}},
	{"exempt as functional: foreign account converted by name", func(f *fixture) {
		f.account("old", directory.EndUser)
		f.exempt(AsFunctional, "old@c.com")
	}, []string{"convert old functional_account (configuration)"}},
	{"exempt twice: unchanged wins", func(f *fixture) {
		f.person("alice")
		f.exempt(AsFunctional, "alice@c.com")
		f.exempt(AsUnchanged, "alice@c.com")
	}, []string{"skip alice exempt"}},
	{"exempt stops the grace clock", func(f *fixture) {
		p := f.leaver("alice")
		p.a.Active, p.k.GoneSince = false, now.Add(-40*dayLong)
		f.exempt(AsUnchanged, "alice@c.com")
	}, []string{"skip alice exempt", "clock alice stops"}},
	{"declared: entry skipped", func(f *fixture) { f.entry("alice", directory.User); f.req.Declared["alice@c.com"] = true },
		[]string{"skip alice declared"}},
	{"declared: managed account released", func(f *fixture) { f.leaver("alice"); f.req.Declared["alice@c.com"] = true },
		[]string{"skip alice declared", "forget alice"}},
	{"declared: no stray", func(f *fixture) {
		f.account("desk", directory.EndUser)
		f.req.Declared["desk@c.com"], f.req.Policy.Strays = true, AsAdopt
	}, []string{"skip desk declared"}},

	// Left out by a person.
	{"left out", func(f *fixture) { f.leaver("alice"); f.req.Skips["alice@c.com"] = now.Add(dayLong) },
		[]string{"skip alice left_out"}},
	{"left out past its end is still left out", func(f *fixture) { f.leaver("alice"); f.req.Skips["Alice@c.com"] = now.Add(-dayLong) },
		[]string{"skip alice left_out"}},
	{"left out follows a rename", func(f *fixture) {
		f.person("alice").e.Address = "alicia@c.com"
		f.req.Skips["alicia@c.com"] = time.Time{}
	}, []string{"skip alice left_out"}},
	{"left out: an addition", func(f *fixture) { f.entry("alice", directory.User); f.req.Skips["alice@c.com"] = time.Time{} },
		[]string{"skip alice left_out"}},

	// Engines.
	{"essentials: adds nothing", func(f *fixture) { f.entry("alice", directory.User); f.req.Policy.Engine = EngineEssentials }, nil},
	{"essentials: updates nothing", func(f *fixture) { f.person("alice").e.Surname = "Other"; f.req.Policy.Engine = EngineEssentials }, nil},
	{"essentials: adopts", func(f *fixture) { p := f.person("alice"); f.forget(p.k); f.req.Policy.Engine = EngineEssentials },
		[]string{"link alice o-alice"}},
	{"essentials: disables the gone", func(f *fixture) { f.leaver("alice"); f.req.Policy.Engine = EngineEssentials },
		[]string{"disable alice (directory) loses alice"}},
	{"essentials: the gone become functional behind an exemption", func(f *fixture) {
		f.leaver("alice")
		f.req.Policy.Engine, f.req.Policy.Gone = EngineEssentials, AsFunctional
	}, []string{"convert alice functional_account (directory) exempt:add"}},
	{"essentials: blocked becomes functional behind an exemption", func(f *fixture) {
		f.person("alice").e.Enabled = false
		f.req.Policy.Engine = EngineEssentials
	}, []string{"convert alice functional_account (directory) exempt:add"}},
	{"essentials: blocked becomes functional, and active, after the vendor's sync disabled it", func(f *fixture) {
		p := f.person("alice")
		p.e.Enabled, p.a.Active = false, false
		f.req.Policy.Engine, f.req.Sync = EngineEssentials, true
	}, []string{"convert alice functional_account active (directory) exempt:add"}},
	{"essentials: what was converted goes on receiving", func(f *fixture) {
		p := f.place("alice", directory.User)
		p.e.Enabled, p.a.Active, p.k.Converted = false, false, true
		f.req.Policy.Engine = EngineEssentials
	}, []string{"enable alice (drift)"}},
	{"essentials: shared mailbox becomes functional behind an exemption", func(f *fixture) {
		f.entry("info", directory.SharedMailbox)
		f.account("info", directory.EndUser).Active = false
		f.req.Policy.Engine = EngineEssentials
	}, []string{"convert info functional_account active (directory) exempt:add"}},
	{"essentials: unblocked becomes a user again", func(f *fixture) {
		f.place("alice", directory.User).k.Converted = true
		f.req.Policy.Engine = EngineEssentials
	}, []string{"convert alice end_user (directory) exempt:remove"}},
	{"essentials: functional by hand without exemption is an error", func(f *fixture) {
		f.entry("alice", directory.User)
		f.account("alice", directory.FunctionalAccount)
		f.req.Policy.Engine = EngineEssentials
	}, []string{"skip alice undecided", "error alice"}},
	{"essentials: functional by hand with exemption", func(f *fixture) {
		f.entry("alice", directory.User)
		f.account("alice", directory.FunctionalAccount)
		f.req.Policy.Engine = EngineEssentials
		f.exempt(AsFunctional, "alice@c.com")
	}, []string{"skip alice exempt"}},
	{"essentials: coming from weir, functional accounts get their exemption first", func(f *fixture) {
		p := f.place("info", directory.SharedMailbox)
		p.k.Converted = true
		f.req.Policy.Engine, f.req.Exempt, f.req.PolicyChanged = EngineEssentials, map[string]bool{}, true
	}, []string{"protect info (configuration) exempt:add"}},
	{"essentials: with it nothing is left to do", func(f *fixture) {
		f.place("info", directory.SharedMailbox).k.Converted = true
		f.req.Policy.Engine, f.req.Exempt = EngineEssentials, map[string]bool{"info@c.com": true}
	}, nil},
	{"essentials: somebody took it away", func(f *fixture) {
		f.place("info", directory.SharedMailbox).k.Converted = true
		f.req.Policy.Engine, f.req.Exempt = EngineEssentials, map[string]bool{}
	}, []string{"protect info (drift) exempt:add"}},
	{"essentials: the list was not read", func(f *fixture) {
		f.place("info", directory.SharedMailbox).k.Converted = true
		f.req.Policy.Engine = EngineEssentials
	}, nil},
	{"essentials: a group needs none", func(f *fixture) {
		f.place("sales", directory.DistributionGroup)
		f.req.Policy.Engine, f.req.Exempt = EngineEssentials, map[string]bool{}
	}, nil},
	{"essentials: whom the safeguard protects", func(f *fixture) {
		f.person("ceo")
		f.req.Policy.Engine, f.req.Exempt = EngineEssentials, map[string]bool{}
		f.req.Policy.Safeguard.Protected = []string{"ceo@c.com"}
	}, []string{"protect ceo (directory) exempt:add"}},
	{"essentials: whom the safeguard protects stays exempt when it is a user again", func(f *fixture) {
		f.place("ceo", directory.User).k.Converted = true
		f.req.Policy.Engine, f.req.Exempt = EngineEssentials, map[string]bool{"ceo@c.com": true}
		f.req.Policy.Safeguard.Protected = []string{"ceo@c.com"}
	}, []string{"convert ceo end_user (directory)"}},
	{"essentials: functional by hand, exempt by hand", func(f *fixture) {
		f.entry("leo", directory.User)
		f.account("leo", directory.FunctionalAccount)
		f.req.Policy.Engine, f.req.Exempt = EngineEssentials, map[string]bool{"leo@c.com": true}
	}, []string{"skip leo undecided"}},
	{"essentials: blocked and disabled is the vendor's doing", func(f *fixture) {
		f.person("alice").e.Enabled = false
		f.req.Policy.Engine, f.req.Policy.BlockedSignIn = EngineEssentials, AsDisable
	}, nil},
	{"none: leaves everything alone", func(f *fixture) {
		f.leaver("alice")
		f.entry("bob", directory.User)
		f.person("carol").e.Enabled = false
		f.account("old", directory.EndUser)
		f.req.Policy.Engine, f.req.Policy.Strays = EngineNone, AsAdopt
	}, nil},
	{"none: exemptions still convert", func(f *fixture) {
		f.person("alice")
		f.req.Policy.Engine = EngineNone
		f.exempt(AsFunctional, "alice@c.com")
	}, []string{"convert alice functional_account (configuration)"}},

	// Limits.
	{"removals within the limit", func(f *fixture) { leavers(f, 2); f.req.Policy.Safeguard.MaxRemovals = 2 },
		[]string{"disable l0 (directory) loses l0", "disable l1 (directory) loses l1"}},
	{"removals above the limit: all held, the rest goes on", func(f *fixture) {
		leavers(f, 3)
		f.req.Policy.Safeguard.MaxRemovals = 2
		f.entry("new", directory.User)
		f.person("alice").e.Surname = "Other"
		f.person("bob", "b").e.Aliases = nil
	}, []string{"update alice (directory)", "held update bob (directory) loses b", "held disable l0 (directory) loses l0",
		"held disable l1 (directory) loses l1", "held disable l2 (directory) loses l2", "add new end_user (directory)", "hold removals"}},
	{"percent is rounded up and at least 1", func(f *fixture) { leavers(f, 1); f.req.Policy.Safeguard.MaxRemovalPercent = 0 },
		[]string{"disable l0 (directory) loses l0"}},
	{"percent of owned active accounts", func(f *fixture) {
		leavers(f, 2)
		for _, n := range []string{"p0", "p1", "p2", "p3", "p4", "p5", "p6"} {
			f.person(n)
		}
		f.req.Policy.Safeguard.MaxRemovalPercent = 10 // of 10
	}, []string{"held disable l0 (directory) loses l0", "held disable l1 (directory) loses l1", "hold removals"}},
	{"percent of owned active accounts, rounded up", func(f *fixture) {
		leavers(f, 2)
		for _, n := range []string{"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"} {
			f.person(n)
		}
		f.req.Policy.Safeguard.MaxRemovalPercent = 10 // of 11
	}, []string{"disable l0 (directory) loses l0", "disable l1 (directory) loses l1"}},
	{"max_removals 0 removes nobody", func(f *fixture) { leavers(f, 1); f.req.Policy.Safeguard.MaxRemovals = 0 },
		[]string{"held disable l0 (directory) loses l0", "hold removals"}},
	{"removals of the window count", func(f *fixture) {
		leavers(f, 1)
		f.req.Policy.Safeguard.MaxRemovals = 1
		f.req.Window = []Removal{{"former@c.com", now.Add(-time.Hour)}}
	}, []string{"held disable l0 (directory) loses l0", "hold removals"}},
	{"removals before the window do not", func(f *fixture) {
		leavers(f, 1)
		f.req.Policy.Safeguard.MaxRemovals = 1
		f.req.Window = []Removal{{"former@c.com", now.Add(-25 * time.Hour)}}
	}, []string{"disable l0 (directory) loses l0"}},
	{"the window has moved past a removal of exactly its length ago", func(f *fixture) {
		leavers(f, 1)
		f.req.Policy.Safeguard.MaxRemovals = 1
		f.req.Window = []Removal{{"former@c.com", now.Add(-dayLong)}}
	}, []string{"disable l0 (directory) loses l0"}},
	{"and not yet past one a moment later", func(f *fixture) {
		leavers(f, 1)
		f.req.Policy.Safeguard.MaxRemovals = 1
		f.req.Window = []Removal{{"former@c.com", now.Add(-dayLong + 1)}}
	}, []string{"held disable l0 (directory) loses l0", "hold removals"}},
	{"what other items of the plan take away counts", func(f *fixture) {
		leavers(f, 1)
		f.req.Policy.Safeguard.MaxRemovals = 1
		f.req.Others = []string{"desk@c.com"}
	}, []string{"held disable l0 (directory) loses l0", "hold removals"}},
	{"and alone holds too, so that those items are", func(f *fixture) {
		f.req.Policy.Safeguard.MaxRemovals = 1
		f.req.Others = []string{"desk@c.com", "door@c.com"}
	}, []string{"hold removals"}},
	{"what other items take away within the limit", func(f *fixture) {
		leavers(f, 1)
		f.req.Policy.Safeguard.MaxRemovals = 2
		f.req.Others = []string{"desk@c.com"}
	}, []string{"disable l0 (directory) loses l0"}},
	{"an address that two items take away counts once", func(f *fixture) {
		leavers(f, 1)
		f.req.Policy.Safeguard.MaxRemovals = 1
		f.req.Others = []string{"l0@c.com"}
	}, []string{"disable l0 (directory) loses l0"}},
	{"an address counts once", func(f *fixture) {
		leavers(f, 1)
		f.req.Policy.Safeguard.MaxRemovals = 1
		f.req.Window = []Removal{{"L0@c.com", now.Add(-time.Hour)}}
	}, []string{"disable l0 (directory) loses l0"}},
	{"aliases lost count", func(f *fixture) {
		f.person("alice", "a1", "a2").e.Aliases = nil
		f.req.Policy.Safeguard.MaxRemovals = 1
	}, []string{"held update alice (directory) loses a1,a2", "hold removals"}},
	{"what Weir disabled does not count again", func(f *fixture) {
		leavers(f, 3)
		for _, k := range f.known[1:] {
			k.GoneSince, k.Disabled = now.Add(-31*dayLong), true
		}
		for _, a := range f.req.Accounts.Accounts[1:] {
			a.Active = false
		}
		f.req.Policy.Safeguard.MaxRemovals = 0
	}, []string{"delete l0 (directory)", "delete l1 (directory)", "delete l2 (directory)"}},
	{"what somebody else disabled does", func(f *fixture) {
		leavers(f, 1)
		f.known[1].GoneSince = now.Add(-31 * dayLong)
		f.req.Accounts.Accounts[1].Active = false
		f.req.Policy.Safeguard.MaxRemovals = 0
	}, []string{"held delete l0 (directory)", "hold removals"}},
	{"allow lets exactly that many pass", func(f *fixture) {
		leavers(f, 3)
		f.req.Policy.Safeguard.MaxRemovals = 1
		f.req.Policy.Safeguard.Allow = &Allow{Removals: 3, Reason: "site closed", Until: now.Add(dayLong)}
	}, []string{"disable l0 (directory) loses l0", "disable l1 (directory) loses l1", "disable l2 (directory) loses l2"}},
	{"allow of another number lets nothing pass", func(f *fixture) {
		leavers(f, 2)
		f.req.Policy.Safeguard.MaxRemovals = 1
		f.req.Policy.Safeguard.Allow = &Allow{Removals: 3}
	}, []string{"held disable l0 (directory) loses l0", "held disable l1 (directory) loses l1", "hold removals"}},
	{"allow past its end lets nothing pass", func(f *fixture) {
		leavers(f, 2)
		f.req.Policy.Safeguard.MaxRemovals = 1
		f.req.Policy.Safeguard.Allow = &Allow{Removals: 2, Until: now}
	}, []string{"held disable l0 (directory) loses l0", "held disable l1 (directory) loses l1", "hold removals"}},
	{"conversions above the limit", func(f *fixture) {
		f.person("alice").e.Enabled = false
		f.person("bob").e.Enabled = false
		f.leaver("carol")
		f.req.Policy.Safeguard.MaxConversions = 1
	}, []string{"held convert alice functional_account (directory)", "held convert bob functional_account (directory)",
		"disable carol (directory) loses carol", "hold conversions"}},
	{"additions above the limit; functional ones cost nothing", func(f *fixture) {
		f.entry("alice", directory.User)
		f.entry("bob", directory.User)
		f.entry("info", directory.SharedMailbox)
		f.req.Policy.Safeguard.MaxAdditions = 1
	}, []string{"held add alice end_user (directory)", "held add bob end_user (directory)", "add info functional_account (directory)", "hold additions"}},
	{"protected address is not disabled, others are", func(f *fixture) {
		leavers(f, 2)
		f.req.Policy.Safeguard.Protected = []string{"L0@c.com"}
	}, []string{"held disable l0 (directory) loses l0", "disable l1 (directory) loses l1", "hold protected"}},
	{"protected alias is not lost", func(f *fixture) {
		f.person("alice", "al").e.Aliases = nil
		f.req.Policy.Safeguard.Protected = []string{"al@c.com"}
	}, []string{"held update alice (directory) loses al", "hold protected"}},
	{"protected address may be updated", func(f *fixture) {
		f.person("alice").e.Surname = "Other"
		f.req.Policy.Safeguard.Protected = []string{"alice@c.com"}
	}, []string{"update alice (directory)"}},
	{"protected held items do not count", func(f *fixture) {
		leavers(f, 2)
		f.req.Policy.Safeguard.Protected, f.req.Policy.Safeguard.MaxRemovals = []string{"l0@c.com"}, 1
	}, []string{"held disable l0 (directory) loses l0", "disable l1 (directory) loses l1", "hold protected"}},
	{"the last admin stays", func(f *fixture) {
		f.leaver("boss").a.Type = directory.OrganizationAdmin
		f.req.Policy.Safeguard.MinAdmins = 1
	}, []string{"held disable boss (directory) loses boss", "hold admins"}},
	{"the last but one admin goes", func(f *fixture) {
		f.leaver("boss").a.Type = directory.OrganizationAdmin
		f.account("other", directory.OrganizationAdmin)
		f.req.Policy.Safeguard.MinAdmins = 1
	}, []string{"disable boss (directory) loses boss", "stray other"}},
	{"an inactive admin is no admin left", func(f *fixture) {
		f.leaver("boss").a.Type = directory.OrganizationAdmin
		f.account("other", directory.OrganizationAdmin).Active = false
		f.req.Policy.Safeguard.MinAdmins = 1
	}, []string{"held disable boss (directory) loses boss", "stray other", "hold admins"}},
	{"a held giver holds the taker", func(f *fixture) {
		f.person("alice", "a1", "info").e.Aliases = nil
		f.person("bob").e.Aliases = []string{"info@c.com"}
		f.req.Policy.Safeguard.MaxRemovals = 0
	}, []string{"held update alice (directory) loses a1", "held update bob (directory) needs alice", "hold removals"}},
	{"a held taker holds the giver", func(f *fixture) {
		f.person("alice", "info").e.Aliases = nil
		f.entry("info", directory.User)
		f.req.Policy.Safeguard.MaxAdditions = 0
	}, []string{"held update alice (directory)", "held add info end_user (directory) needs alice", "hold additions"}},

	// Reads in doubt.
	{"directory incomplete: adds and updates go on, nothing destructive", func(f *fixture) {
		f.req.Directory.Proof = directory.Proof{Problem: "page 2 failed"}
		f.leaver("gone")
		f.person("blocked").e.Enabled = false
		p := f.person("alice", "al")
		p.e.Aliases, p.e.Surname = nil, "Other"
		f.entry("new", directory.User)
	}, []string{"update alice (directory)", "add new end_user (directory)", "skip blocked incomplete_read", "skip gone incomplete_read"}},
	{"directory incomplete: no allowance lets anything destructive pass", func(f *fixture) {
		f.req.Directory.Proof = directory.Proof{Problem: "page 2 failed"}
		leavers(f, 2)
		f.req.Policy.Safeguard.MaxRemovals = 1
		f.req.Policy.Safeguard.Allow = &Allow{Removals: 2, Reason: "given to apply", Source: "--accept-removals"}
	}, []string{"skip l0 incomplete_read", "skip l1 incomplete_read"}},
	{"and, read completely, it does", func(f *fixture) {
		leavers(f, 2)
		f.req.Policy.Safeguard.MaxRemovals = 1
		f.req.Policy.Safeguard.Allow = &Allow{Removals: 2, Reason: "given to apply", Source: "--accept-removals"}
	}, []string{"disable l0 (directory) loses l0", "disable l1 (directory) loses l1"}},
	{"directory incomplete: a rename keeps the old address", func(f *fixture) {
		f.req.Directory.Proof = directory.Proof{}
		f.person("alice").e.Address = "alicia@c.com"
	}, []string{"rename alice -> alicia (directory)"}},
	{"directory incomplete: nothing is adopted", func(f *fixture) {
		f.req.Directory.Proof = directory.Proof{}
		p := f.person("alice")
		f.forget(p.k)
	}, []string{"skip alice incomplete_read"}},
	{"directory incomplete: no strays", func(f *fixture) {
		f.req.Directory.Proof = directory.Proof{}
		f.account("old", directory.EndUser)
	}, nil},
	{"directory incomplete: exemptions do not convert", func(f *fixture) {
		f.req.Directory.Proof = directory.Proof{}
		f.person("alice")
		f.exempt(AsFunctional, "alice@c.com")
	}, []string{"skip alice incomplete_read"}},
	{"a protecting group whose members are hidden goes on protecting", func(f *fixture) {
		f.person("alice").e.Enabled = false
		g := &directory.Entry{ObjectID: "g", Kind: directory.SecurityGroup, Name: "Board", MembersHidden: true}
		f.req.Directory.Groups = []*directory.Entry{g}
		p := f.exempt(AsUnchanged)
		p.Groups, p.Last = []string{"Board"}, []string{"alice@c.com"}
	}, []string{"skip alice exempt"}},
	{"a protecting group that never showed its members bars what is destructive", func(f *fixture) {
		f.person("alice").e.Enabled = false
		f.req.Directory.Groups = []*directory.Entry{{ObjectID: "g", Kind: directory.SecurityGroup, Name: "Board", MembersHidden: true}}
		f.exempt(AsUnchanged).Groups = []string{"Board"}
	}, []string{"skip alice incomplete_read"}},
	{"include looks at groups, and one hides its members", func(f *fixture) {
		f.req.Policy.Include = predicate{`contains(entry.groups, "Staff")`, func(e *directory.Entry) (bool, error) { return e.Department != "Kitchen", nil }}
		f.req.Policy.OutOfScope = AsRemove
		f.req.Directory.Groups = []*directory.Entry{{ObjectID: "g", Kind: directory.SecurityGroup, Name: "Staff", MembersHidden: true}}
		f.person("alice").e.Department = "Kitchen"
	}, []string{"skip alice incomplete_read"}},
	{"include looks at groups, and all show their members", func(f *fixture) {
		f.req.Policy.Include = predicate{`contains(entry.groups, "Staff")`, func(e *directory.Entry) (bool, error) { return e.Department != "Kitchen", nil }}
		f.req.Policy.OutOfScope = AsRemove
		f.req.Directory.Groups = []*directory.Entry{{ObjectID: "g", Kind: directory.SecurityGroup, Name: "Staff"}}
		f.person("alice").e.Department = "Kitchen"
	}, []string{"disable alice (directory) loses alice"}},
	{"domains in doubt: an alias under one that is missing stays", func(f *fixture) {
		p := f.person("alice", "alice@c.org")
		p.e.Surname = "Other"
		f.leaver("gone")
		f.req.Domains, f.req.DomainsDoubt = f.req.Domains[:1], "the registered domains could not be read"
	}, []string{"update alice (directory)", "skip gone incomplete_read"}},
	{"exemptions in doubt: nothing destructive", func(f *fixture) {
		f.person("alice").e.Surname = "Other"
		f.leaver("gone")
		f.req.ProtectionsDoubt = "whom exemption.e protects is not known"
	}, []string{"update alice (directory)", "skip gone incomplete_read"}},
	{"accounts incomplete: nothing at all", func(f *fixture) {
		f.req.Accounts.Proof = directory.Proof{Problem: "timeout"}
		f.entry("new", directory.User)
		f.leaver("gone")
		f.person("alice").e.Surname = "Other"
	}, nil},
	{"accounts name one address twice: nothing at all", func(f *fixture) {
		f.account("alice", directory.EndUser)
		f.account("alice", directory.EndUser).UID = 5
		f.leaver("gone")
	}, nil},
	{"an empty directory is a failed read", func(f *fixture) {
		f.person("alice")
		f.req.Directory.Entries = nil
	}, []string{"skip alice incomplete_read", "skip zoe incomplete_read"}},
	{"a directory of groups alone is a failed read", func(f *fixture) {
		f.person("alice")
		f.req.Directory.Entries = nil
		f.place("team", directory.DistributionGroup)
	}, []string{"skip alice incomplete_read", "skip zoe incomplete_read"}},
	{"Exchange unreadable: only clear cases are added", func(f *fixture) {
		f.req.Directory.KindsErr = errors.New("403")
		f.entry("clear", directory.User)
		f.entry("unlicensed", directory.User).Licensed = false
		f.entry("disabled", directory.User).Enabled = false
		f.entry("team", directory.DistributionGroup)
	}, []string{"add clear end_user (directory)", "add team functional_account (directory)", "skip disabled unknown_kind", "skip unlicensed unknown_kind"}},
	{"Exchange unreadable: nothing destructive", func(f *fixture) {
		f.req.Directory.KindsErr = errors.New("403")
		f.leaver("gone")
		f.person("blocked").e.Enabled = false
		f.person("alice").e.Surname = "Other"
	}, []string{"update alice (directory)", "skip blocked unknown_kind", "skip gone incomplete_read"}},
	{"no directory at all", func(f *fixture) { f.req.Directory = nil }, []string{"skip zoe incomplete_read"}},
	{"no accounts at all", func(f *fixture) { f.req.Accounts = nil }, nil},
}

func patterns(list ...string) []directory.Pattern {
	var out []directory.Pattern
	for _, s := range list {
		p, err := directory.ParsePattern(s)
		if err != nil {
			panic(err)
		}
		out = append(out, p)
	}
	return out
}

func leavers(f *fixture, n int) {
	for i := range n {
		f.leaver("l" + string(rune('0'+i)))
	}
}

func TestDecisionTable(t *testing.T) {
	names := map[string]bool{}
	for _, row := range table {
		if names[row.name] {
			t.Errorf("two rows are called %q", row.name)
		}
		names[row.name] = true
		t.Run(row.name, func(t *testing.T) {
			f := newFixture()
			row.with(f)
			req := f.request()
			before := fingerprint(req)
			res := deciding(req)
			if got := summary(res); !slices.Equal(got, row.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(row.want, "\n  "))
			}
			if fingerprint(req) != before {
				t.Error("the request was changed")
			}
			for _, w := range res.Decisions {
				if len(w.Reasons) == 0 || w.Cause == "" || w.ObjectID == "" && w.Before == nil {
					t.Errorf("%s %s has no reason, cause or object", w.Action, w.Address)
				}
			}
			for _, s := range res.Skips {
				if len(s.Reasons) == 0 {
					t.Errorf("%s is skipped without a reason", s.Address)
				}
			}
			checkInvariants(t, req, res)
			if turned := summary(deciding(turnedRound(req))); !slices.Equal(turned, row.want) {
				t.Errorf("in reverse order: got\n  %s", strings.Join(turned, "\n  "))
			}
			if req.Accounts != nil && req.Directory != nil && req.Accounts.Proof.Complete && len(res.Waits) == 0 {
				settled(t, carryOut(t, req, res))
			}
			doubted(t, req)
		})
	}
}
