package world

// Quickstart returns the world that a person meets first: the partner organization msp.example and one customer,
// Contoso, with an Entra tenant of fifteen people whose mail still goes straight to Exchange Online. Essentials does not
// know the customer yet. The Entra tenant id is 3f1e0c6a-7c1e-4b7e-9a53-0d5c3b1f2a10.
func Quickstart() *World {
	b := newBuilder("quickstart")
	b.sharedZones()
	b.contoso("3f1e0c6a-7c1e-4b7e-9a53-0d5c3b1f2a10")
	return b.done()
}

// contoso adds the fifteen-person customer.
func (b *builder) contoso(id string) *Tenant {
	t := b.entra("Contoso Ltd", "contoso.onmicrosoft.example", "contoso.example")
	t.ID = id
	b.consent(t)
	people := []struct{ local, given, surname, department, alias string }{
		{"alice", "Alice", "Archer", "Management", "a.archer"},
		{"bob", "Bob", "Brewer", "Sales", ""},
		{"carla", "Carla", "Conti", "Sales", "c.conti"},
		{"dev", "Dev", "Desai", "IT", "support"},
		{"elif", "Elif", "Şahin", "Finance", ""},
		{"frank", "Frank", "Fischer", "Finance", ""},
		{"greta", "Greta", "Grünwald", "Marketing", "g.gruenwald"},
		{"hiro", "Hiro", "田中", "Marketing", ""},
		{"ines", "Inés", "Ibáñez", "Sales", ""},
		{"joao", "João", "Jardim", "Kitchen", ""},
		{"kate", "Kate", "Kelly", "Warehouse", ""},
	}
	var sales, all []*DirectoryUser
	for _, p := range people {
		var aliases []string
		if p.alias != "" {
			aliases = append(aliases, p.alias+"@contoso.example")
		}
		u := b.person(t, p.local+"@contoso.example", p.given, p.surname, append(aliases, p.local+"@contoso.onmicrosoft.example")...)
		u.Department = p.department
		if p.department == "Sales" {
			sales = append(sales, u)
		}
		all = append(all, u)
	}
	leaver := b.person(t, "leo@contoso.example", "Leo", "Lindqvist") // left, sign-in blocked, mailbox kept (R32)
	leaver.Enabled, leaver.Department = false, "Sales"
	b.mailbox(t, "SharedMailbox", "info@contoso.example", "Contoso Info", "contact@contoso.example") // R38
	b.mailbox(t, "RoomMailbox", "boardroom@contoso.example", "Board room")
	emergency := b.person(t, "breakglass@contoso.onmicrosoft.example", "Break", "Glass") // no mailbox, no address (R31)
	emergency.Mail, emergency.ProxyAddresses, emergency.MailboxKind, emergency.Licensed = "", nil, "", false
	b.group(t, "distribution_group", "sales@contoso.example", "Sales", sales...)
	b.group(t, "security_group", "", "VPN users", all[:4]...)
	b.group(t, "m365_group", "everyone@contoso.example", "Everyone", all...)
	b.zone("contoso.example", microsoftMX("contoso.example"), []string{
		"v=spf1 include:spf.protection.outlook.com -all", b.w.VerificationCode("contoso.example"),
	})
	return t
}
