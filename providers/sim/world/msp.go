package world

import (
	"fmt"
	"math/rand/v2"
)

// MSP returns the world of an MSP: the partner organization msp.example on us1 and three customers.
//
//   - contoso.example, 15 people: an Entra tenant only; Essentials does not know it.
//   - northwind.example, "day 1": 120 live accounts, hand-made functional accounts, exemptions, the hosted sync with an
//     application registered by hand, connectors and rule under other names. Mail goes through the gateway.
//   - fabrikam.example, 1,500 people, half set up: organization and one domain, half of the accounts, an inbound
//     connector that restricts nothing, no sync.
//
// Among them is every awkward case that the rules R1–R67 speak of; the functions below say where.
func MSP() *World {
	b := newBuilder("msp")
	b.sharedZones()
	b.contoso("3f1e0c6a-7c1e-4b7e-9a53-0d5c3b1f2a10")
	b.northwind()
	b.fabrikam()
	return b.done()
}

// northwindAccounts is how many accounts of people the day-1 customer has; functional accounts come on top.
const northwindAccounts = 120

func (b *builder) northwind() {
	const domain = "northwind.example"
	random := rand.New(rand.NewPCG(2, 120))
	at := func(local string) string { return local + "@" + domain }

	t := b.entra("Northwind Traders", "northwind.onmicrosoft.example", domain, "northwind-sales.example", "nw-labs.example")
	t.ID = "7d0c1c52-3c1b-4f3e-8a3b-5b1d6a2e9f01"
	b.consent(t)
	o := b.organization(b.w.Organizations[0], "Northwind Traders", domain, "advanced_plus", 150)
	o.TechContact, o.SendWelcome = at("it"), false
	o.Features = map[string]any{"anti_spoofing": true, "url_defense": true, "attachment_defense": true, "one_click_remediation": true, "instant_replay": 30.0}
	o.Allow, o.Block = []string{"partner.example", "*@bank.example"}, []string{"spam.example"}
	b.domain(o, "northwind-sales.example", true)
	b.domain(o, "northwind.onmicrosoft.example", false) // a management domain, so that manual runs work (R35)
	// nw-labs.example is verified in Entra and unknown to Essentials (R33, R34, R36).

	var live []*DirectoryUser // who has an account already
	add := func(p *DirectoryUser) *DirectoryUser {
		live = append(live, p)
		return p
	}

	// Names that break careless programs.
	add(b.person(t, at("zoe.oconnor"), "Zoë", "O’Connor-Łęcka"))
	add(b.person(t, at("dmitri"), "Дмитрий", "Иванов"))
	add(b.person(t, at("mallory"), "Mallory", "<script>alert(1)</script>")).DisplayName = "\x1b[31mMallory\x1b[0m\x07 <script>alert(1)</script>"
	add(b.person(t, at("formula"), "=HYPERLINK(\"https://evil.example\")", "Formula"))
	add(b.person(t, at("rtl"), "عمر", "\u202eقاسم"))
	mixed := add(b.person(t, "Peter.Pan@Northwind.example", "Peter", "Pan")) // upper case in the directory, lower in Essentials
	mixed.Department = "Sales"
	apart := add(b.person(t, at("jane.doe"), "Jane", "Doe"))
	apart.UserPrincipalName = "jdoe@northwind.onmicrosoft.example" // signs in under another name than she receives mail

	// People of whom something is not as it should be.
	ceo := add(b.person(t, at("ceo"), "Carol", "Chief", at("carol")))
	ceo.Department = "Management"
	add(b.person(t, at("it"), "Ian", "Turner", at("support-old"))).Department = "IT"
	renamed := add(b.person(t, at("sara.newman"), "Sara", "Newman", at("sara.oldham"))) // married; Essentials has the old name
	drifted := add(b.person(t, at("tom.alias"), "Tom", "Alias", at("tommy"), at("t.alias")))
	switchedOff := add(b.person(t, at("ursula.off"), "Ursula", "Off")) // disabled by hand in Essentials, enabled in Entra
	silent := add(b.person(t, at("silent.bob"), "Silent", "Bob"))
	sales := add(b.person(t, "sam@northwind-sales.example", "Sam", "Seller"))
	sales.Department = "Sales"
	// One alias, two people: Entra hardly allows it, imports and hybrid tenants have it all the same.
	add(b.person(t, at("first.owner"), "First", "Owner", at("shared.alias")))
	second := b.person(t, at("second.owner"), "Second", "Owner", at("shared.alias"))
	live = append(live, second)
	blocked := make([]*DirectoryUser, 0, 6) // left the company, mailbox kept (R32)
	for i := range 6 {
		p := add(b.person(t, at(fmt.Sprintf("leaver%d", i+1)), "Leaver", fmt.Sprintf("Number %d", i+1)))
		p.Enabled, p.Department = false, "Operations"
		blocked = append(blocked, p)
	}
	helpdesk := b.person(t, at("helpdesk"), "Hugo", "Helpdesk") // a leaver turned into a functional account and exempt (R39, R40)
	helpdesk.Enabled = false

	// Directory objects that no sync brings over.
	breakglass := b.person(t, "breakglass@northwind.onmicrosoft.example", "Break", "Glass")
	breakglass.Mail, breakglass.ProxyAddresses, breakglass.MailboxKind, breakglass.Licensed = "", nil, "", false // R31
	service := b.person(t, "svc-backup@northwind.onmicrosoft.example", "", "Backup service")
	service.Mail, service.ProxyAddresses, service.MailboxKind, service.Licensed = "", nil, "", false
	b.person(t, "lena@nw-labs.example", "Lena", "Labs") // primary domain not registered (R33)
	cloudOnly := b.person(t, "noor@northwind.onmicrosoft.example", "Noor", "New")
	cloudOnly.ProxyAddresses = append(cloudOnly.ProxyAddresses, "SIP:noor@northwind.onmicrosoft.example", "X500:/o=ExchangeLabs/cn=noor")
	for i := range 3 {
		b.guest(t, givenNames[i], surnames[i], "northwind.onmicrosoft.example", i)
	}

	// Mailboxes that are nobody's (R38). The first three came over as users, with a seat each.
	for _, s := range []string{"accounts", "orders", "returns"} {
		add(b.mailbox(t, "SharedMailbox", at(s), "Northwind "+s))
	}
	b.mailbox(t, "SharedMailbox", at("info"), "Northwind info", at("contact"))
	b.mailbox(t, "SharedMailbox", at("support"), "Northwind support")
	opened := b.mailbox(t, "SharedMailbox", at("reception"), "Reception")
	opened.Enabled = true // sign-in was never blocked: looks like a person to Graph
	live = append(live, opened)
	for i := range 4 {
		b.mailbox(t, "RoomMailbox", at(fmt.Sprintf("room%d", i+1)), fmt.Sprintf("Meeting room %d", i+1))
	}
	b.mailbox(t, "EquipmentMailbox", at("projector"), "Projector")
	b.mailbox(t, "EquipmentMailbox", at("van"), "Delivery van")

	// The rest are ordinary people. Two accounts, of people long gone from the directory, complete the number.
	const gone, admins = 2, 1
	ordinary := b.crowdOf(t, domain, northwindAccounts-gone-admins-len(live), random)
	live = append(live, ordinary...)

	admin := b.account(o, at("essentials-admin"), "organization_admin", "Essentials", "Admin")
	admin.Password = b.w.NewSecret("admin-password")
	for i := range gone {
		u := b.account(o, at(fmt.Sprintf("gone%d", i+1)), "end_user", "Gone", fmt.Sprintf("Number %d", i+1))
		o.SyncedUIDs[u.UID] = b.w.NewGUID() // the directory object is deleted for good
		t.Deleted = append(t.Deleted, &DeletedItem{ID: o.SyncedUIDs[u.UID], Kind: "user", Permanent: true, At: start.AddDate(0, -2, 0), Changed: b.w.Touch()})
	}
	accounts := map[*DirectoryUser]*User{}
	for _, p := range live {
		if u := b.synced(o, p); u != nil {
			accounts[p] = u
		}
	}
	accounts[second].Aliases = nil // Essentials takes an address once
	accounts[renamed].PrimaryEmail, accounts[renamed].Surname, accounts[renamed].Aliases = at("sara.oldham"), "Oldham", nil
	accounts[drifted].Aliases, accounts[drifted].FirstName = []string{at("tommy")}, "Thomas"
	accounts[switchedOff].IsActive = false
	accounts[silent].Type = "silent_user"
	accounts[ceo].Allow = []string{"newsletter@news.example"}
	accounts[ceo].Password = b.w.NewSecret("user-password")
	for _, p := range blocked[:3] {
		accounts[p].IsActive = true // never synced since they left: mail still flows
	}

	// Functional accounts made by hand: some are directory objects as well, some are not (R39, R40).
	for _, local := range []string{"info", "helpdesk", "support", "scanner", "fax", "postmaster", "all-sales"} {
		b.account(o, at(local), "functional_account", "", local)
	}
	o.Exemptions = []string{breakglass.UserPrincipalName, at("ceo"), at("helpdesk"), at("info")} // "support" is not exempt
	o.Login = Login{Local: true, Azure: true}

	// Groups of every kind.
	members := func(n int) []*DirectoryUser { return ordinary[:n] }
	inner := b.group(t, "distribution_group", at("sales-team"), "Sales team", members(5)...)
	outer := b.group(t, "distribution_group", at("all-sales"), "All sales", sales, mixed) // has a functional account already
	outer.Members = append(outer.Members, inner.ID)
	ring := b.group(t, "distribution_group", at("ring-a"), "Ring A")
	back := b.group(t, "distribution_group", at("ring-b"), "Ring B")
	ring.Members, back.Members = []string{back.ID}, []string{ring.ID} // each in the other
	b.group(t, "mail_security_group", at("finance-secure"), "Finance (secure)", members(8)...)
	b.group(t, "m365_group", at("phoenix"), "Project Phoenix", members(12)...)
	b.group(t, "m365_group", at("board"), "Board", ceo).HiddenMembership = true
	b.group(t, "security_group", "", "VPN users", members(30)...)
	dynamic := b.group(t, "security_group", "", "All staff (dynamic)", members(40)...)
	dynamic.GroupTypes, dynamic.MembershipRule = []string{"DynamicMembership"}, "user.accountEnabled -eq true"
	b.group(t, "distribution_group", "team@nw-labs.example", "Labs team") // unregistered domain
	b.group(t, "distribution_group", at("empty"), "Empty list")
	b.group(t, "security_group", "", "VPN users") // two groups of one name
	contact := &Contact{ID: b.w.NewGUID(), DisplayName: "External accountant", Mail: "books@accountant.example",
		ProxyAddresses: proxies("books@accountant.example"), Changed: b.w.Touch()}
	t.Contacts = append(t.Contacts, contact)
	outer.Members = append(outer.Members, contact.ID)
	b.dynamicList(t, at("everyone-dynamic"), "Everyone (dynamic)", "(RecipientType -eq 'UserMailbox')", members(20)...) // R37
	b.dynamicList(t, at("warehouse-dynamic"), "Warehouse (dynamic)", "(Department -eq 'Warehouse')")

	// Mail flow made by hand, under names of its own, beside objects of other services.
	app, secret := b.syncApp(t, "Proofpoint Azure AD Sync", start.AddDate(0, 7, 0))
	b.hostedSync(o, app, secret, 24) // last night; the directory has moved on since
	t.Exchange.Inbound = append(t.Exchange.Inbound, b.exchangeObject("Scanner relay", map[string]any{
		"ConnectorType": "OnPremises", "Enabled": true, "SenderDomains": []string{"smtp:*;1"}, "SenderIPAddresses": []string{"203.0.113.25/32"},
		"RequireTls": false, "RestrictDomainsToIPAddresses": false,
	}))
	t.Exchange.Rules = append(t.Exchange.Rules, b.exchangeObject("External disclaimer", map[string]any{
		"Enabled": true, "Mode": "Enforce", "FromScope": "NotInOrganization", "SetHeaderName": "X-External", "SetHeaderValue": "yes",
	}))
	b.gatewayObjects(t, "Inbound from ProofPoint", "Proofpoint - Outbound", "Bypass Spam Filter (PPE)", true)

	for _, d := range []string{domain, "northwind-sales.example"} {
		b.zone(d, gatewayMX("us"), []string{"v=spf1 include:spf.protection.outlook.com a:dispatch-us.ppe-hosted.com -all", b.w.VerificationCode(d), "MS=ms12345678"})
	}
	b.zone("nw-labs.example", microsoftMX("nw-labs.example"), []string{"v=spf1 include:spf.protection.outlook.com -all"})
}

// crowdOf adds n people with mailboxes who are all there: enabled, licensed, with an address.
func (b *builder) crowdOf(t *Tenant, domain string, n int, random *rand.Rand) []*DirectoryUser {
	var out []*DirectoryUser
	for i := 0; len(out) < n; i++ {
		given, surname := givenNames[random.IntN(len(givenNames))], surnames[random.IntN(len(surnames))]
		p := b.person(t, fmt.Sprintf("%s.%s%d@%s", given.ascii, surname.ascii, i+1, domain), given.text, surname.text)
		p.Department, p.JobTitle = departments[i%len(departments)], jobTitles[i%len(jobTitles)]
		if i%4 == 0 {
			alias := fmt.Sprintf("%c%s%d@%s", given.ascii[0], surname.ascii, i+1, domain)
			p.ProxyAddresses = append(p.ProxyAddresses, "smtp:"+alias)
		}
		if i%3 == 0 {
			p.MobilePhone = fmt.Sprintf("+1 555 01%05d", 20000+i) // the others cannot take part in two-factor login (R54)
		}
		out = append(out, p)
	}
	return out
}

// fabrikam is half set up: somebody began by hand and stopped.
func (b *builder) fabrikam() {
	const domain = "fabrikam.example"
	random := rand.New(rand.NewPCG(3, 1500))
	t := b.entra("Fabrikam, Inc.", "fabrikam.onmicrosoft.example", domain, "fabrikam-europe.example", "fab-legacy.example")
	t.ID = "c5a2b7de-90f4-4d7b-b3c8-2f6f0e4d1a77"
	b.consent(t)
	people := b.crowd(t, domain, 1440, random)
	people = append(people, b.crowd(t, "fabrikam-europe.example", 50, random)...)
	people = append(people, b.crowd(t, "fab-legacy.example", 10, random)...)
	b.crowdGroups(t, domain, 60, people, random)
	b.dynamicList(t, "all@"+domain, "All of Fabrikam", "(RecipientType -eq 'UserMailbox')", people[:20]...)

	o := b.organization(b.w.Organizations[0], "Fabrikam, Inc.", domain, "business", 1000) // too few seats
	o.UserCapping = true
	o.Domains[0].IsVerified, o.Domains[0].IsRelay = true, true
	europe := b.domain(o, "fabrikam-europe.example", false) // imported, not relaying, not verified (R58)
	europe.IsVerified = false
	admin := b.account(o, "postmaster@"+domain, "organization_admin", "Post", "Master")
	admin.Password = b.w.NewSecret("admin-password")
	for i, p := range people {
		if i%2 == 0 && i < 1400 {
			if u := b.synced(o, p); u != nil {
				delete(o.SyncedUIDs, u.UID) // typed in by hand
			}
		}
	}
	b.account(o, "sales@"+domain, "functional_account", "", "sales")
	t.Exchange.Inbound = append(t.Exchange.Inbound, b.exchangeObject("Inbound Connector for Proofpoint Essentials", map[string]any{
		"ConnectorType": "Partner", "Enabled": true, "SenderDomains": []string{"smtp:*;1"}, "RequireTls": true,
		"RestrictDomainsToIPAddresses": false, "SenderIPAddresses": connectorRanges()[:5],
	}))
	b.zone(domain, append(gatewayMX("us"), MXRecord{100, MailHost(domain)}), []string{"v=spf1 include:spf.protection.outlook.com ~all", b.w.VerificationCode(domain)})
	b.zone("fabrikam-europe.example", microsoftMX("fabrikam-europe.example"), []string{"v=spf1 include:spf.protection.outlook.com -all"})
	b.zone("fab-legacy.example", nil, []string{"v=spf1 -all", "v=spf1 include:spf.protection.outlook.com -all"}) // two records: neither counts
}
