package world

import (
	"fmt"
	"math/rand/v2"
	"strconv"
)

// crowd fills a tenant with n more directory users of the mixture that companies have: about 5 % with blocked sign-in,
// some shared mailboxes, rooms, guests and people without a licence or mailbox. Addresses are in domain, in ASCII; names
// are not. The same random source gives the same crowd.
func (b *builder) crowd(t *Tenant, domain string, n int, random *rand.Rand) []*DirectoryUser {
	if n == 0 {
		return nil
	}
	taken := make(map[string]bool, n+len(t.People))
	for _, p := range t.People {
		taken[lower(p.Mail)] = true
	}
	var initial string
	for _, d := range t.Domains {
		if d.Initial {
			initial = d.Name
		}
	}
	free := func(local string) string {
		for i := 1; ; i++ {
			a := local
			if i > 1 {
				a += strconv.Itoa(i)
			}
			if a += "@" + domain; !taken[a] {
				taken[a] = true
				return a
			}
		}
	}
	// How often a name came up gives the number behind it without trying all smaller ones.
	seen := map[string]int{}
	out := make([]*DirectoryUser, 0, n)
	for i := range n {
		given, surname := givenNames[random.IntN(len(givenNames))], surnames[random.IntN(len(surnames))]
		local := given.ascii + "." + surname.ascii
		seen[local]++
		if k := seen[local]; k > 1 {
			local += strconv.Itoa(k)
		}
		var p *DirectoryUser
		switch roll := random.IntN(200); {
		case n >= 10 && i%50 == 7:
			p = b.mailbox(t, "SharedMailbox", free("team"+strconv.Itoa(i)), "Team "+strconv.Itoa(i))
		case n >= 10 && i%80 == 9:
			p = b.mailbox(t, "RoomMailbox", free("room"+strconv.Itoa(i)), "Room "+strconv.Itoa(i))
		case n >= 10 && i%60 == 11:
			p = b.guest(t, given, surname, initial, i)
		default:
			address := free(local)
			var aliases []string
			if roll%4 == 0 {
				aliases = append(aliases, free(given.ascii[:1]+surname.ascii))
			}
			if roll%10 == 0 && initial != "" {
				aliases = append(aliases, address[:len(address)-len(domain)]+initial)
			}
			p = b.person(t, address, given.text, surname.text, aliases...)
			switch {
			case roll < 10:
				p.Enabled = false
			case roll < 14:
				p.Licensed = false
			case roll < 16: // a service account without a mailbox
				p.Licensed, p.MailboxKind, p.Mail, p.ProxyAddresses = false, "", "", nil
			}
			p.Department = departments[random.IntN(len(departments))]
			p.JobTitle = jobTitles[random.IntN(len(jobTitles))]
			p.EmployeeID = strconv.Itoa(10000 + i)
			if random.IntN(3) == 0 {
				p.MobilePhone = fmt.Sprintf("+1 555 01%05d", random.IntN(100000))
			}
		}
		out = append(out, p)
	}
	return out
}

// guest adds an invited person: a foreign address, no mailbox here.
func (b *builder) guest(t *Tenant, given, surname name, initial string, i int) *DirectoryUser {
	local := given.ascii + "." + surname.ascii + strconv.Itoa(i)
	p := b.person(t, local+"_partner.example#EXT#@"+initial, given.text, surname.text)
	p.UserType, p.Mail, p.MailboxKind, p.Licensed = "Guest", local+"@partner.example", "GuestMailUser", false
	p.ProxyAddresses = proxies(p.Mail)
	return p
}

// crowdGroups adds n groups of all kinds with members from people; some are nested in another.
func (b *builder) crowdGroups(t *Tenant, domain string, n int, people []*DirectoryUser, random *rand.Rand) {
	first := len(t.Groups)
	for i := range n {
		kind, address := "distribution_group", "list"+strconv.Itoa(i)+"@"+domain
		switch i % 10 {
		case 6:
			kind = "mail_security_group"
		case 7, 8:
			kind = "m365_group"
		case 9:
			kind, address = "security_group", ""
		}
		g := b.group(t, kind, address, departments[i%len(departments)]+" "+strconv.Itoa(i))
		if len(people) > 0 {
			at := map[string]bool{}
			for range 1 + random.IntN(min(40, len(people))) {
				if id := people[random.IntN(len(people))].ID; !at[id] {
					at[id] = true
					g.Members = append(g.Members, id)
				}
			}
		}
		if i%10 == 3 && i > 3 {
			g.Members = append(g.Members, t.Groups[first+i-3].ID)
		}
	}
}
