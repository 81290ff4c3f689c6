package planner

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

// Pseudonyms replaces names, addresses, domains and ids, the same one always by the same one. It keeps what decisions
// rest on: which addresses, words of names and ids are equal, which domain lies below which, and every kind, flag and
// date. Order, length and spelling are lost. It is not safe for concurrent use.
type Pseudonyms struct {
	key     []byte
	domains map[string]bool
	// seen are whole strings that were replaced, for the configuration that goes with them.
	seen map[string]string
}

// NewPseudonyms uses a random key, which nobody is to keep: without it nothing can be turned back.
func NewPseudonyms(key []byte) *Pseudonyms {
	return &Pseudonyms{key: key, domains: map[string]bool{}, seen: map[string]string{}}
}

func (p *Pseudonyms) sum(kind, s string) []byte {
	mac := hmac.New(sha256.New, p.key)
	mac.Write([]byte(kind + "\x00" + s))
	return mac.Sum(nil)
}

func (p *Pseudonyms) short(kind, s string) string { return hex.EncodeToString(p.sum(kind, s)[:6]) }

func (p *Pseudonyms) keep(s, replaced string) string {
	p.seen[s] = replaced
	return replaced
}

// microsoftDomain ends the domains that every directory begins with; that they are such is no secret.
const microsoftDomain = ".onmicrosoft.com"

// domain replaces every label but the last, so that a subdomain stays one.
func (p *Pseudonyms) domain(name string) string {
	folded := strings.ToLower(name)
	rest, suffix := folded, ""
	if cut, ok := strings.CutSuffix(folded, microsoftDomain); ok {
		rest, suffix = cut, microsoftDomain
	} else if i := strings.LastIndexByte(folded, '.'); i >= 0 {
		rest, suffix = folded[:i], folded[i:]
	}
	labels := strings.Split(rest, ".")
	for i, label := range labels {
		if label != "" {
			labels[i] = p.label(label)
		}
	}
	return p.keep(folded, strings.Join(labels, ".")+suffix)
}

func (p *Pseudonyms) label(s string) string { return "d" + p.short("label", s) }

func (p *Pseudonyms) address(a string) string {
	i := strings.LastIndexByte(a, '@')
	if i < 0 {
		return p.name(a)
	}
	folded := directory.Fold(a)
	local, domain := folded[:strings.LastIndexByte(folded, '@')], directory.DomainOf(folded)
	p.domains[domain] = true
	return p.keep(folded, "u"+p.short("local", local)+"@"+p.domain(domain))
}

func (p *Pseudonyms) addresses(list []string) []string {
	var out []string
	for _, a := range list {
		out = append(out, p.address(a))
	}
	slices.Sort(out)
	return out
}

// name replaces a name word by word: a display name goes on being given name and surname.
func (p *Pseudonyms) name(s string) string {
	if strings.TrimSpace(s) == "" {
		return s
	}
	words := strings.Split(s, " ")
	for i, w := range words {
		w = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
				return -1
			}
			return r
		}, strings.ToValidUTF8(w, ""))
		if w != "" {
			words[i] = "n" + p.short("word", w)
		}
	}
	return p.keep(s, strings.Join(words, " "))
}

func (p *Pseudonyms) names(list []string) []string {
	var out []string
	for _, s := range list {
		out = append(out, p.name(s))
	}
	slices.Sort(out)
	return out
}

var (
	guid       = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
	digits     = regexp.MustCompile(`^[0-9]+$`)
	wordOfText = regexp.MustCompile(`[\pL\pN._%+'-]+@[\pL\pN.-]+|[\pL\pN][\pL\pN.-]*`)
	quotedWord = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
)

// id replaces a vendor's id: a GUID by a GUID, a number by a number.
func (p *Pseudonyms) id(s string) string {
	switch {
	case s == "":
		return ""
	case guid.MatchString(s):
		h := hex.EncodeToString(p.sum("guid", strings.ToLower(s)))
		return p.keep(s, h[:8]+"-"+h[8:12]+"-4"+h[13:16]+"-8"+h[17:20]+"-"+h[20:32])
	case digits.MatchString(s):
		return p.keep(s, cty.NumberIntVal(p.number("number", s)).AsBigFloat().Text('f', 0))
	}
	if prefix, rest, ok := strings.Cut(s, ":"); ok && guid.MatchString(rest) {
		return prefix + ":" + p.id(rest)
	}
	if t := p.text(s); t != s {
		return t
	}
	return p.keep(s, "i"+p.short("id", s))
}

func (p *Pseudonyms) number(kind, s string) int64 {
	return 1<<20 + int64(binary.BigEndian.Uint64(p.sum(kind, s))%(1<<40))
}

func (p *Pseudonyms) uid(n int) int {
	if n == 0 {
		return 0
	}
	return int(p.number("uid", cty.NumberIntVal(int64(n)).AsBigFloat().Text('f', 0)))
}

// text replaces addresses, GUIDs, domains of the tenant, and hosts named after them, wherever they stand in a text.
func (p *Pseudonyms) text(s string) string {
	return wordOfText.ReplaceAllStringFunc(s, func(w string) string {
		trimmed := strings.TrimRight(w, ".-")
		rest := w[len(trimmed):]
		folded := strings.ToLower(trimmed)
		switch {
		case strings.Contains(w, "@"):
			return p.address(trimmed) + rest
		case guid.MatchString(trimmed):
			return p.id(trimmed) + rest
		case p.domains[folded]:
			return p.domain(folded) + rest
		}
		for i := 0; i < len(folded); i++ {
			if folded[i] == '.' && p.domains[folded[i+1:]] {
				return p.domain(folded) + rest
			}
		}
		// Exchange names its hosts after the domain, with dashes for dots, or after the first label alone.
		if label, host, ok := strings.Cut(folded, "."); ok {
			for d := range p.domains {
				switch first, _, _ := strings.Cut(d, "."); label {
				case strings.ReplaceAll(d, ".", "-"):
					return strings.ReplaceAll(p.domain(d), ".", "-") + "." + host + rest
				case first:
					if strings.HasSuffix(host, "mail.protection.outlook.com") {
						return p.label(first) + "." + host + rest
					}
				}
			}
		}
		return w
	})
}

// note replaces names too, which notes have in quotes.
func (p *Pseudonyms) note(s string) string {
	return p.text(quotedWord.ReplaceAllStringFunc(s, func(q string) string {
		name, err := strconv.Unquote(q)
		if err != nil {
			name = q
		}
		return strconv.Quote(p.name(name))
	}))
}

// personal are attributes that hold words of people, in whatever type.
var personal = map[string]bool{
	"name": true, "first_name": true, "last_name": true, "surname": true, "display_name": true, "description": true, "comment": true,
	"phone": true, "www": true, "address": true, "street": true, "city": true, "postcode": true, "state": true, "by": true, "reason": true, "owner": true,
	"tech_contact": true, "groups": true, "ldap_url": true, "url": true,
}

// kinds are the words of conditions that are no names.
var kinds = map[directory.Kind]bool{
	directory.User: true, directory.SharedMailbox: true, directory.Room: true, directory.Equipment: true, directory.Guest: true, directory.Contact: true,
	directory.DistributionGroup: true, directory.SecurityGroup: true, directory.Microsoft365Group: true, directory.DynamicDistributionGroup: true, directory.UnknownKind: true,
}

// value replaces what a value holds. attribute is the innermost attribute's name.
func (p *Pseudonyms) value(attribute string, v cty.Value) cty.Value {
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() {
		return v
	}
	t := v.Type()
	each := func() []cty.Value {
		var out []cty.Value
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			out = append(out, p.value(attribute, e))
		}
		return out
	}
	switch {
	case t == cty.String:
		return cty.StringVal(p.string(attribute, v.AsString()))
	case t.IsObjectType():
		members := map[string]cty.Value{}
		for name := range t.AttributeTypes() {
			members[name] = p.value(name, v.GetAttr(name))
		}
		return cty.ObjectVal(members)
	case t.IsMapType():
		if v.LengthInt() == 0 {
			return v
		}
		members := map[string]cty.Value{}
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			members[p.Literal(k.AsString())] = p.value(attribute, e)
		}
		return cty.MapVal(members)
	case t.IsListType() && v.LengthInt() > 0:
		return cty.ListVal(each())
	case t.IsSetType() && v.LengthInt() > 0:
		return cty.SetVal(each())
	case t.IsTupleType() && v.LengthInt() > 0:
		return cty.TupleVal(each())
	}
	return v
}

func (p *Pseudonyms) string(attribute, s string) string {
	switch {
	case attribute == "include" || attribute == "when":
		return quotedWord.ReplaceAllStringFunc(s, func(q string) string {
			word := q[1 : len(q)-1]
			if t := p.Literal(word); t != word || kinds[directory.Kind(word)] {
				return `"` + t + `"`
			}
			return `"` + p.name(word) + `"`
		})
	case digits.MatchString(s) && (attribute == "id" || strings.HasSuffix(attribute, "_id")), guid.MatchString(s):
		return p.id(s)
	}
	if t := p.text(s); t != s {
		return t
	}
	if personal[attribute] {
		return p.name(s)
	}
	return s
}

// Literal replaces one string of the configuration: as a whole if it was replaced elsewhere, else what is in it.
func (p *Pseudonyms) Literal(s string) string {
	if r, ok := p.seen[s]; ok {
		return r
	}
	return p.text(s)
}

func (p *Pseudonyms) failure(err error) error {
	if err == nil {
		return nil
	}
	f := storeFailure(err)
	f.Text = p.text(f.Text)
	return f.load()
}

func (p *Pseudonyms) proof(proof directory.Proof) directory.Proof {
	proof.Problem = p.text(proof.Problem)
	if proof.Hash != "" {
		proof.Hash = hex.EncodeToString(p.sum("hash", proof.Hash))
	}
	if proof.Base != nil {
		base := *proof.Base
		base.Generation, base.Hash = p.short("generation", base.Generation), hex.EncodeToString(p.sum("hash", base.Hash))
		proof.Base = &base
	}
	parts := proof.Parts
	proof.Parts = nil
	for _, part := range parts {
		proof.Parts = append(proof.Parts, p.proof(part))
	}
	return proof
}

func (p *Pseudonyms) entry(e *directory.Entry) *directory.Entry {
	n := *e
	n.ObjectID, n.UPN = p.id(e.ObjectID), ""
	if e.Address != "" {
		n.Address = p.address(e.Address)
	}
	if e.UPN != "" {
		n.UPN = p.address(e.UPN)
	}
	n.Aliases, n.Groups = p.addresses(e.Aliases), p.names(e.Groups)
	n.Members = nil
	for _, m := range e.Members {
		n.Members = append(n.Members, p.id(m))
	}
	for _, s := range []*string{&n.Name, &n.GivenName, &n.Surname, &n.Department, &n.JobTitle, &n.Company, &n.Office, &n.EmployeeID, &n.Mobile} {
		*s = p.name(*s)
	}
	return &n
}

func (p *Pseudonyms) account(a *directory.Account) *directory.Account {
	n := *a
	n.UID, n.Address, n.Aliases = p.uid(a.UID), p.address(a.Address), p.addresses(a.Aliases)
	n.FirstName, n.Surname = p.name(a.FirstName), p.name(a.Surname)
	return &n
}

// learn gathers the domains that the tenant has to do with, before any text is looked at.
func (p *Pseudonyms) learn(r *Recording) {
	add := func(domain string) {
		if domain = strings.ToLower(domain); strings.Contains(domain, ".") {
			p.domains[domain] = true
		}
	}
	add(r.Tenant.PrimaryDomain)
	add(r.Tenant.Parent)
	for d := range r.Observed.Mail {
		add(d)
	}
	if d := r.Observed.Directory; d != nil {
		for _, name := range d.Domains {
			add(name)
		}
		for _, e := range slices.Concat(d.Entries, d.Groups) {
			for _, a := range append([]string{e.Address, e.UPN}, e.Aliases...) {
				add(directory.DomainOf(a))
			}
		}
	}
	if a := r.Observed.Accounts; a != nil {
		for _, x := range a.Accounts {
			for _, s := range append([]string{x.Address}, x.Aliases...) {
				add(directory.DomainOf(s))
			}
		}
	}
	for _, l := range r.Observed.Objects["domain"].Live {
		add(text(l.Value, "name"))
	}
}

// Recording returns the recording with everything replaced. Labels of blocks, keys of tenants, and what a vendor's
// settings say of nobody stay.
func (p *Pseudonyms) Recording(r *Recording) *Recording {
	p.learn(r)
	out := *r
	out.Pseudonymous = true
	out.Tenant.Name, out.Tenant.PrimaryDomain, out.Tenant.EntraTenantID = p.name(r.Tenant.Name), p.domain(r.Tenant.PrimaryDomain), p.id(r.Tenant.EntraTenantID)
	if r.Tenant.Parent != "" {
		out.Tenant.Parent = p.domain(r.Tenant.Parent)
	}
	o := &Observation{Objects: map[string]Reading{}, At: r.Observed.At, Mail: resource.MailFacts{}}
	out.Observed = o
	if d := r.Observed.Directory; d != nil {
		n := &directory.Reading{Proof: p.proof(d.Proof), KindsErr: p.failure(d.KindsErr)}
		for _, note := range d.Notes {
			n.Notes = append(n.Notes, p.note(note))
		}
		for _, e := range d.Entries {
			n.Entries = append(n.Entries, p.entry(e))
		}
		for _, e := range d.Groups {
			n.Groups = append(n.Groups, p.entry(e))
		}
		for _, name := range d.Domains {
			n.Domains = append(n.Domains, p.domain(name))
		}
		slices.Sort(n.Domains)
		directory.Sort(n.Entries)
		directory.Sort(n.Groups)
		o.Directory = n
	}
	if a := r.Observed.Accounts; a != nil {
		n := &directory.AccountReading{Proof: p.proof(a.Proof), Counted: a.Counted}
		for _, x := range a.Accounts {
			n.Accounts = append(n.Accounts, p.account(x))
		}
		slices.SortFunc(n.Accounts, func(a, b *directory.Account) int { return cmp.Compare(a.Address, b.Address) })
		o.Accounts = n
	}
	o.DirectoryErr, o.AccountsErr = p.failure(r.Observed.DirectoryErr), p.failure(r.Observed.AccountsErr)
	o.Cloud, o.CloudErr = r.Observed.Cloud, p.failure(r.Observed.CloudErr)
	for name, facts := range r.Observed.Mail {
		var txt []string
		for _, s := range facts.TXT {
			if !strings.HasPrefix(strings.ToLower(s), "v=spf1") {
				s = "txt-" + p.short("txt", s)
			}
			txt = append(txt, p.text(s))
		}
		facts.TXT, facts.Problem = txt, p.text(facts.Problem)
		o.Mail[p.domain(name)] = facts
	}
	for _, name := range slices.Sorted(maps.Keys(r.Observed.Objects)) {
		reading := r.Observed.Objects[name]
		n := Reading{Err: p.failure(reading.Err)}
		for _, l := range reading.Live {
			n.Live = append(n.Live, resource.Live{ID: resource.ObjectID(p.objectID(string(l.ID))), Name: p.string("name", l.Name), Value: p.value("", l.Value)})
		}
		o.Objects[name] = n
	}
	out.Data = nil
	for _, a := range r.Data {
		out.Data = append(out.Data, DataAnswer{Type: a.Type, Config: p.value("", a.Config), Value: p.value("", a.Value), Err: p.failure(a.Err)})
	}
	out.Prior = p.state(r)
	return &out
}

// objectID replaces the id of a declared object: what it is made of, or all of it if it is an id of the vendor's.
func (p *Pseudonyms) objectID(s string) string {
	if guid.MatchString(s) || digits.MatchString(s) {
		return p.id(s)
	}
	return p.text(s)
}

func (p *Pseudonyms) state(r *Recording) *state.State {
	s := shareable(r.Prior)
	if s == nil {
		return nil
	}
	out := state.New(s.Lineage, s.Realm, s.Tenant, s.VersionKey)
	out.Serial, out.Allowances, out.Applied = s.Serial, s.Allowances, s.Applied
	out.Applied.Safeguard = p.value("", s.Applied.Safeguard)
	out.Tenant.Address, out.Tenant.PrimaryDomain = p.text(s.Tenant.Address), p.domain(s.Tenant.PrimaryDomain)
	out.Tenant.OrganizationID, out.Tenant.EntraTenantID = p.id(s.Tenant.OrganizationID), p.id(s.Tenant.EntraTenantID)
	out.Objects = map[string]*state.Object{}
	for address, obj := range s.Objects {
		n := *obj
		n.Address, n.ID, n.Values, n.Previous = p.text(address), p.objectID(obj.ID), p.value("", obj.Values), p.value("", obj.Previous)
		n.Dependencies, n.Bindings, n.Versions = nil, nil, map[string]string{}
		for _, d := range obj.Dependencies {
			n.Dependencies = append(n.Dependencies, p.text(d))
		}
		slices.Sort(n.Dependencies)
		for _, b := range obj.Bindings {
			n.Bindings = append(n.Bindings, state.Binding{Address: p.address(b.Address), UID: p.uid(b.UID), ObjectID: p.id(b.ObjectID)})
		}
		for path, version := range obj.Versions {
			if guid.MatchString(version) {
				version = p.id(version)
			}
			n.Versions[path] = version
		}
		out.Objects[n.Address] = &n
	}
	p.records(r, s, out)
	for _, skip := range s.Skips {
		skip.Address, skip.UID, skip.ObjectID, skip.Reason, skip.By = p.text(skip.Address), p.uid(skip.UID), p.id(skip.ObjectID), p.name(skip.Reason), p.name(skip.By)
		if skip.Mail != "" {
			skip.Mail = p.address(skip.Mail)
		}
		out.Skips = append(out.Skips, skip)
	}
	for _, removal := range s.Removals {
		removal.Mail = p.address(removal.Mail)
		out.Removals = append(out.Removals, removal)
	}
	if len(s.InDoubt) > 0 {
		out.InDoubt = map[string]state.Intent{}
		for op, i := range s.InDoubt {
			i.Address, i.NaturalKey, i.ID = p.text(i.Address), p.string("name", i.NaturalKey), p.objectID(i.ID)
			i.Counts = p.addresses(i.Counts)
			if i.Mail != "" {
				i.Mail = p.address(i.Mail)
			}
			out.InDoubt[op] = i
		}
	}
	return out
}

// records replaces what state remembers of accounts. Whether an account is as it was left shows in its hash, so that one
// which was equal has to be equal again.
func (p *Pseudonyms) records(r *Recording, from, to *state.State) {
	byUID, byAddress := map[int]*directory.Account{}, map[string]*directory.Account{}
	if a := r.Observed.Accounts; a != nil {
		for _, x := range a.Accounts {
			byUID[x.UID], byAddress[x.Address] = x, x
		}
	}
	for k := range from.Accounts.All() {
		n := *k
		n.Address, n.Aliases, n.UID, n.ObjectID, n.Policy = p.address(k.Address), p.addresses(k.Aliases), p.uid(k.UID), p.id(k.ObjectID), p.text(k.Policy)
		a := byUID[k.UID]
		if a == nil || k.UID == 0 {
			a = byAddress[k.Address]
		}
		if k.Hash != "" {
			n.Hash = p.short("hash", k.Hash)
		}
		if a != nil {
			var both []string
			for _, x := range a.Aliases {
				if slices.Contains(k.Aliases, x) {
					both = append(both, x)
				}
			}
			for _, aliases := range [][]string{a.Aliases, both, k.Aliases} {
				same := *a
				same.Aliases = aliases
				if k.Hash == dirsync.Hash(&same) {
					n.Hash = dirsync.Hash(p.account(&same))
					break
				}
			}
		}
		to.Accounts.Put(&n)
	}
}
