package world

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Spec says what world to generate.
type Spec struct {
	Tenants   int    // customers, 1 to 20,000
	Users     int    // directory users of each customer, up to 500,000
	Groups    int    // groups of each customer, up to 100,000
	Seed      uint64 // the same seed gives the same world
	Onboarded bool   // the customers are live in Essentials already
}

// maxDirectory is the largest number of users and groups of a generated world, all tenants together.
const maxDirectory = 5_000_000

// ParseSpec reads "tenants=1,users=200000,groups=5000,seed=7,onboarded=true". What is left out is one tenant, 20 users,
// 5 groups, seed 1, not onboarded.
func ParseSpec(text string) (Spec, error) {
	s := Spec{Tenants: 1, Users: 20, Groups: 5, Seed: 1}
	for part := range strings.SplitSeq(text, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		var err error
		switch key {
		case "":
			continue
		case "tenants":
			s.Tenants, err = strconv.Atoi(value)
		case "users":
			s.Users, err = strconv.Atoi(value)
		case "groups":
			s.Groups, err = strconv.Atoi(value)
		case "seed":
			s.Seed, err = strconv.ParseUint(value, 10, 64)
		case "onboarded":
			s.Onboarded, err = strconv.ParseBool(value)
		default:
			return Spec{}, fmt.Errorf("generate: unknown word %q; there are tenants, users, groups, seed, onboarded", key)
		}
		if err != nil {
			return Spec{}, fmt.Errorf("generate: %s=%q: %w", key, value, err)
		}
	}
	return s, s.check()
}

func (s Spec) check() error {
	if s.Tenants < 1 || s.Tenants > 20_000 || s.Users < 0 || s.Users > 500_000 || s.Groups < 0 || s.Groups > 100_000 {
		return fmt.Errorf("generate: %d tenants of %d users and %d groups: want 1 to 20000 tenants, at most 500000 users and 100000 groups each",
			s.Tenants, s.Users, s.Groups)
	}
	if n := s.Tenants * (s.Users + s.Groups); n > maxDirectory {
		return fmt.Errorf("generate: %d users and groups in all; at most %d", n, maxDirectory)
	}
	return nil
}

// EntraTenantID is the Entra tenant of the n-th customer, from 1: it depends on the seed and not on the size, so that one
// configuration fits a generated world of any size.
func (s Spec) EntraTenantID(n int) string { return guid("customer-"+itoa(n), "entra tenant", s.Seed) }

// Generate makes a world with the partner organization msp.example and s.Tenants customers: customer-1.example and so on,
// each with an Entra tenant, its people and groups. Unless s.Onboarded is true, Essentials knows none of them. It takes
// time and memory in proportion to the number of users and groups.
func Generate(s Spec) (*World, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	id := fmt.Sprintf("generated-%d-%d-%d-%d", s.Tenants, s.Users, s.Groups, s.Seed)
	if s.Onboarded {
		id += "-onboarded"
	}
	b := newBuilder(id)
	b.sharedZones()
	partner := b.w.Organizations[0]
	for i := 1; i <= s.Tenants; i++ {
		random := rand.New(rand.NewPCG(s.Seed, uint64(i)))
		domain := "customer-" + itoa(i) + ".example"
		name := surnames[random.IntN(len(surnames))].text + " & " + givenNames[random.IntN(len(givenNames))].text + " " + itoa(i)
		domains := []string{domain}
		if i%3 == 0 {
			domains = append(domains, "customer-"+itoa(i)+"-mail.example")
		}
		t := b.entra(name, "customer-"+itoa(i)+".onmicrosoft.example", domains...)
		t.ID = s.EntraTenantID(i)
		b.consent(t)
		people := b.crowd(t, domain, s.Users, random)
		b.crowdGroups(t, domain, s.Groups, people, random)
		code := b.w.VerificationCode(domain)
		if !s.Onboarded {
			b.zone(domain, microsoftMX(domain), []string{"v=spf1 include:spf.protection.outlook.com -all", code})
			continue
		}
		b.zone(domain, gatewayMX("us"), []string{"v=spf1 include:spf.protection.outlook.com a:dispatch-us.ppe-hosted.com -all", code})
		o := b.organization(partner, name, domain, "advanced_plus", s.Users+10)
		o.TechContact = "noc@msp.example"
		for _, d := range domains[1:] {
			b.domain(o, d, false)
		}
		admin := b.account(o, "admin@"+domain, "organization_admin", "Admin", domain)
		admin.Password = b.w.NewSecret("admin-password")
		for _, p := range people {
			b.synced(o, p)
		}
		app, secret := b.syncApp(t, "Proofpoint Essentials Azure AD Sync", start.AddDate(1, 0, 0))
		b.hostedSync(o, app, secret, 1)
		b.gatewayObjects(t, "Inbound Connector for Proofpoint Essentials", "Outbound Connector for Proofpoint Essentials",
			"Bypass Spam Filtering for Proofpoint Essentials", true)
	}
	return b.done(), nil
}

func itoa(n int) string { return strconv.Itoa(n) }
