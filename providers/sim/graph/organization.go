package graph

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/weir-project/weir/providers/sim/world"
)

func organizationRoutes() []route {
	need := anyOf("Organization.Read.All", "Directory.Read.All", "User.Read.All")
	return []route{
		{method: "GET", template: "/organization", need: need, run: listOrganization, options: "select"},
		{method: "GET", template: "/organization/{id}", need: need, run: getOrganization, options: "select"},
	}
}

func tenant(f func(t *world.Tenant) value) getter {
	return func(_ *request, o any) value { return f(o.(*world.Tenant)) }
}

// organizationEntity is the organization resource; its one object is the tenant.
var organizationEntity = newEntity("organization", "Organization", "organization", []property{
	{name: "id", get: tenant(func(t *world.Tenant) value { return text(t.ID) })},
	{name: "deletedDateTime", get: always(value{})},
	{name: "businessPhones", get: always(texts(nil))},
	{name: "city", get: always(value{})},
	{name: "country", get: always(value{})},
	{name: "countryLetterCode", get: tenant(func(t *world.Tenant) value { return text(t.Country) })},
	{name: "createdDateTime", get: always(text("2019-03-01T08:00:00Z"))},
	{name: "defaultUsageLocation", get: always(value{})},
	{name: "displayName", get: tenant(func(t *world.Tenant) value { return text(t.DisplayName) })},
	{name: "marketingNotificationEmails", get: always(texts(nil))},
	{name: "onPremisesLastSyncDateTime", get: func(x *request, o any) value {
		if !o.(*world.Tenant).OnPremSync {
			return value{}
		}
		return moment(x.w.Clock)
	}},
	{name: "onPremisesSyncEnabled", get: tenant(func(t *world.Tenant) value { return trueOrNull(t.OnPremSync) })},
	{name: "partnerTenantType", get: always(value{})},
	{name: "preferredLanguage", get: always(text("en"))},
	{name: "securityComplianceNotificationMails", get: always(texts(nil))},
	{name: "securityComplianceNotificationPhones", get: always(texts(nil))},
	{name: "technicalNotificationMails", get: always(texts(nil))},
	{name: "tenantType", get: always(text("AAD"))},
	{name: "assignedPlans", get: always(structure(`[{"assignedDateTime":"2019-03-01T08:00:00Z",` + exchangePlanState + `}]`))},
	{name: "provisionedPlans", get: always(structure(`[{"capabilityStatus":"Enabled","provisioningStatus":"Success","service":"exchange"}]`))},
	{name: "verifiedDomains", get: tenant(verifiedDomains)},
})

func verifiedDomains(t *world.Tenant) value {
	type row struct {
		Capabilities string `json:"capabilities"`
		IsDefault    bool   `json:"isDefault"`
		IsInitial    bool   `json:"isInitial"`
		Name         string `json:"name"`
		Type         string `json:"type"`
	}
	rows := []row{}
	for _, d := range t.Domains {
		if d.Verified {
			// One comma-joined text, not a list.
			rows = append(rows, row{strings.Join(supportedServices(d), ", "), d.Default, d.Initial, d.Name, authenticationType(d)})
		}
	}
	return encoded(rows)
}

func (x *request) organization() source {
	return slice(organizationEntity, []*world.Tenant{x.t}, func(t *world.Tenant) string { return t.ID })
}

func listOrganization(x *request) (*reply, error) {
	return x.list(x.organization(), listing{e: organizationEntity, whole: true})
}

func getOrganization(x *request) (*reply, error) {
	if !strings.EqualFold(x.params[0], x.t.ID) {
		return nil, notFound(x.params[0])
	}
	return x.one(organizationEntity, x.t, style{})
}

func domainRoutes() []route {
	read := anyOf("Domain.Read.All", "Directory.Read.All", "Domain.ReadWrite.All")
	// Directory.Read.All covers the domains but not their records.
	records := anyOf("Domain.Read.All", "Domain.ReadWrite.All")
	return []route{
		{method: "GET", template: "/domains", need: read, run: listDomains, options: "select top skiptoken"},
		{method: "GET", template: "/domains/{id}", need: read, run: getDomain, options: "select"},
		{method: "GET", template: "/domains/{id}/verificationDnsRecords", need: records, run: verificationRecords},
		{method: "GET", template: "/domains/{id}/serviceConfigurationRecords", need: records, run: serviceRecords},
	}
}

func entraDomain(f func(d *world.EntraDomain) value) getter {
	return func(_ *request, o any) value { return f(o.(*world.EntraDomain)) }
}

// domainEntity is the domain resource; its id is the name.
var domainEntity = newEntity("domain", "Domain", "domains", []property{
	{name: "id", get: entraDomain(func(d *world.EntraDomain) value { return text(d.Name) })},
	{name: "authenticationType", get: entraDomain(func(d *world.EntraDomain) value { return text(authenticationType(d)) })},
	{name: "availabilityStatus", get: always(value{})},
	{name: "isAdminManaged", get: always(boolean(true))},
	{name: "isDefault", get: entraDomain(func(d *world.EntraDomain) value { return boolean(d.Default) })},
	{name: "isInitial", get: entraDomain(func(d *world.EntraDomain) value { return boolean(d.Initial) })},
	{name: "isRoot", get: func(x *request, o any) value { return boolean(x.parentOf(o.(*world.EntraDomain)) == nil) }},
	{name: "isVerified", get: entraDomain(func(d *world.EntraDomain) value { return boolean(d.Verified) })},
	{name: "passwordNotificationWindowInDays", get: always(value{})},
	{name: "passwordValidityPeriodInDays", get: always(value{})},
	{name: "state", get: always(value{})},
	{name: "supportedServices", get: entraDomain(func(d *world.EntraDomain) value { return texts(supportedServices(d)) })},
})

func authenticationType(d *world.EntraDomain) string {
	if d.Federated {
		return "Federated"
	}
	return "Managed"
}

func supportedServices(d *world.EntraDomain) []string {
	if !d.Verified || d.NoEmail {
		return nil
	}
	return []string{"Email", "OfficeCommunicationsOnline"}
}

// parentOf is the nearest domain of the tenant that d is a subdomain of, nil for a root domain.
func (x *request) parentOf(d *world.EntraDomain) *world.EntraDomain {
	for name := d.Name; ; {
		_, rest, ok := strings.Cut(name, ".")
		if !ok {
			return nil
		}
		name = rest
		for _, p := range x.t.Domains {
			if strings.EqualFold(p.Name, name) {
				return p
			}
		}
	}
}

func listDomains(x *request) (*reply, error) {
	return x.list(sortedSlice(domainEntity, x.t.Domains, func(d *world.EntraDomain) string { return d.Name }), listing{e: domainEntity})
}

func (x *request) domain() (*world.EntraDomain, error) {
	for _, d := range x.t.Domains {
		if strings.EqualFold(d.Name, x.params[0]) {
			return d, nil
		}
	}
	return nil, notFound(x.params[0])
}

func getDomain(x *request) (*reply, error) {
	d, err := x.domain()
	if err != nil {
		return nil, err
	}
	return x.one(domainEntity, d, style{})
}

// dnsRecord is one entry of the two record lists; the type must carry its leading '#', or typed clients lose the value.
type dnsRecord struct {
	Type             string `json:"@odata.type"`
	ID               string `json:"id"`
	IsOptional       bool   `json:"isOptional"`
	Label            string `json:"label"`
	RecordType       string `json:"recordType"`
	SupportedService string `json:"supportedService"`
	TTL              int    `json:"ttl"`
	Text             string `json:"text,omitempty"`
	MailExchange     string `json:"mailExchange,omitempty"`
	Preference       *int   `json:"preference,omitempty"`
	CanonicalName    string `json:"canonicalName,omitempty"`
}

func (x *request) record(d *world.EntraDomain, recordType, service, label string) dnsRecord {
	names := map[string]string{"Txt": "Txt", "Mx": "Mx", "CName": "Cname"}
	sum := sha256.Sum256([]byte(x.t.ID + "\x00" + strings.ToLower(d.Name) + "\x00" + recordType + service))
	return dnsRecord{Type: "#microsoft.graph.domainDns" + names[recordType] + "Record", RecordType: recordType,
		SupportedService: service, Label: label, TTL: 3600,
		ID: fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])}
}

func (x *request) records(d *world.EntraDomain, view string, rows []dnsRecord) (*reply, error) {
	context := x.base + "/v1.0/$metadata#domains('" + d.Name + "')/" + view
	return jsonReply(200, struct {
		Context string      `json:"@odata.context"`
		Value   []dnsRecord `json:"value"`
	}{context, rows})
}

// verificationRecords gives the two proofs of ownership. The form of the code, MS=ms and eight digits, is what portals
// show; which digits is this simulator's own, fixed for a tenant and domain.
func verificationRecords(x *request) (*reply, error) {
	d, err := x.domain()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte("verification\x00" + x.t.ID + "\x00" + strings.ToLower(d.Name)))
	code := fmt.Sprintf("ms%08d", binary.BigEndian.Uint64(sum[:])%100_000_000)
	txt := x.record(d, "Txt", "", d.Name)
	txt.Text = "MS=" + code
	mx := x.record(d, "Mx", "", d.Name)
	mx.MailExchange, mx.Preference = code+".msv1.invalid", new(int)
	*mx.Preference = 32767
	return x.records(d, "verificationDnsRecords", []dnsRecord{txt, mx})
}

// serviceRecords gives what a domain publishes for Exchange Online; none for a domain without mail or the initial one.
func serviceRecords(x *request) (*reply, error) {
	d, err := x.domain()
	if err != nil {
		return nil, err
	}
	rows := []dnsRecord{}
	if d.Verified && !d.NoEmail && !d.Initial {
		mx := x.record(d, "Mx", "Email", d.Name)
		mx.MailExchange, mx.Preference = strings.ReplaceAll(strings.ToLower(d.Name), ".", "-")+".mail.protection.outlook.com", new(int)
		spf := x.record(d, "Txt", "Email", d.Name)
		spf.Text = "v=spf1 include:spf.protection.outlook.com -all"
		auto := x.record(d, "CName", "Email", "autodiscover."+d.Name)
		auto.CanonicalName = "autodiscover.outlook.com"
		rows = append(rows, mx, spf, auto)
	}
	return x.records(d, "serviceConfigurationRecords", rows)
}

func skuRoutes() []route {
	return []route{{method: "GET", template: "/subscribedSkus", cost: 3, run: listSkus, options: "select",
		need: anyOf("Organization.Read.All", "Directory.Read.All")}}
}

// skuEntity is the subscribedSku resource over the tenant: the world knows one licence.
var skuEntity = newEntity("subscribedSku", "SubscribedSku", "subscribedSkus", []property{
	{name: "id", get: tenant(func(t *world.Tenant) value { return text(t.ID + "_" + skuExchange) })},
	{name: "accountId", get: tenant(func(t *world.Tenant) value { return text(t.ID) })},
	{name: "accountName", get: tenant(func(t *world.Tenant) value { return text(t.DisplayName) })},
	{name: "appliesTo", get: always(text("User"))},
	{name: "capabilityStatus", get: always(text("Enabled"))},
	{name: "consumedUnits", get: tenant(func(t *world.Tenant) value { return number(licensed(t)) })},
	{name: "skuId", get: always(text(skuExchange))},
	{name: "skuPartNumber", get: always(text(skuPartExchange))},
	{name: "prepaidUnits", get: tenant(func(t *world.Tenant) value {
		return structure(fmt.Sprintf(`{"enabled":%d,"lockedOut":0,"suspended":0,"warning":0}`, licensed(t)))
	})},
	{name: "servicePlans", get: always(structure(`[{"appliesTo":"User","provisioningStatus":"Success","servicePlanId":"` +
		planExchange + `","servicePlanName":"` + planNameExchange + `"}]`))},
})

func licensed(t *world.Tenant) int64 {
	var n int64
	for _, u := range t.People {
		if u.Licensed {
			n++
		}
	}
	return n
}

func listSkus(x *request) (*reply, error) {
	return x.list(slice(skuEntity, []*world.Tenant{x.t}, func(t *world.Tenant) string { return t.ID }), listing{e: skuEntity, whole: true})
}
