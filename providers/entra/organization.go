package entra

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/microsoftgraph/msgraph-sdk-go/domains"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/organization"

	"github.com/weir-project/weir/providers/resource"
)

// collection is one page of a typed list of the SDK.
type collection[T any] interface {
	GetValue() []T
	GetOdataNextLink() *string
}

// every follows a typed list to its end. Anything doubtful is an error: what is made of these lists is small and decides
// about single objects, so there is no half reading.
func every[T any, C collection[T]](c *Client, op, need, link string, get func(link string) (C, error)) ([]T, error) {
	var out []T
	seen := map[string]bool{}
	for {
		page, err := get(link)
		if err != nil {
			return nil, failure(op, "", need, err)
		}
		if any(page) == nil || page.GetValue() == nil {
			return nil, &resource.Error{Op: op, Kind: resource.ErrUnavailable, Detail: "the answer has no list"}
		}
		out = append(out, page.GetValue()...)
		next := value(page.GetOdataNextLink())
		if next == "" {
			return out, nil
		}
		if err := c.own(next); err != nil {
			return nil, &resource.Error{Op: op, Kind: resource.ErrUnavailable, Err: err}
		}
		if seen[next] {
			return nil, &resource.Error{Op: op, Kind: resource.ErrUnavailable, Detail: "the link to the next page leads back"}
		}
		if len(seen) >= maxEmpty {
			return nil, &resource.Error{Op: op, Kind: resource.ErrUnavailable, Detail: "the list of pages does not end"}
		}
		seen[next] = true
		link = next
	}
}

// domain is one domain of the tenant.
type domain struct {
	name                               string // lower case
	verified, isDefault, initial, mail bool
}

// domains lists the domains of the tenant, verified or not. An empty list is an error: every tenant has its initial one.
func (c *Client) domains(ctx context.Context) ([]domain, error) {
	const op = "list domains"
	all, err := every(c, op, "Domain.Read.All or Directory.Read.All", c.at("/domains"), func(link string) (models.DomainCollectionResponseable, error) {
		return domains.NewDomainsRequestBuilder(link, c.adapter).Get(ctx, nil)
	})
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, &resource.Error{Op: op, Kind: resource.ErrUnavailable, Detail: "the answer has no domain, though every tenant has one"}
	}
	out := make([]domain, 0, len(all))
	seen := map[string]bool{}
	for _, d := range all {
		one := domain{name: strings.ToLower(value(d.GetId())), verified: value(d.GetIsVerified()), isDefault: value(d.GetIsDefault()),
			initial: value(d.GetIsInitial())}
		if one.name == "" || seen[one.name] {
			return nil, &resource.Error{Op: op, Kind: resource.ErrUnavailable, Detail: "a domain came twice or without its name"}
		}
		seen[one.name] = true
		for _, s := range d.GetSupportedServices() {
			one.mail = one.mail || s == "Email" || s == "EmailInternalRelayOnly"
		}
		out = append(out, one)
	}
	return out, nil
}

// mailHost is the host that the directory says takes mail for a domain (its MX for Exchange Online); "" when it names none.
func (c *Client) mailHost(ctx context.Context, name string) (string, error) {
	const op = "read service records"
	link := c.at("/domains/" + url.PathEscape(name) + "/serviceConfigurationRecords")
	all, err := every(c, op, "Domain.Read.All", link, func(link string) (models.DomainDnsRecordCollectionResponseable, error) {
		return domains.NewItemServiceConfigurationRecordsRequestBuilder(link, c.adapter).Get(ctx, nil)
	})
	if err != nil {
		return "", err
	}
	for _, r := range all {
		if mx, ok := r.(models.DomainDnsMxRecordable); ok {
			if host := strings.TrimSuffix(strings.ToLower(value(mx.GetMailExchange())), "."); host != "" {
				return host, nil
			}
		}
	}
	return "", nil
}

// company is the tenant itself.
type company struct{ id, name, country string }

func (c *Client) organization(ctx context.Context) (company, error) {
	const op = "read organization"
	all, err := every(c, op, "Organization.Read.All or Directory.Read.All", c.at("/organization"), func(link string) (models.OrganizationCollectionResponseable, error) {
		return organization.NewOrganizationRequestBuilder(link, c.adapter).Get(ctx, nil)
	})
	if err != nil {
		return company{}, err
	}
	if len(all) != 1 {
		return company{}, &resource.Error{Op: op, Kind: resource.ErrUnavailable, Detail: "the answer is not the one organization of the tenant"}
	}
	o := company{id: strings.ToLower(value(all[0].GetId())), name: value(all[0].GetDisplayName()), country: value(all[0].GetCountryLetterCode())}
	if guid.MatchString(c.tenant) && o.id != c.tenant {
		return company{}, &resource.Error{Op: op, Subject: c.tenant, Kind: resource.ErrInvalid, Err: errors.New("the directory that answered is " + o.id),
			Hint: "entra_tenant_id and the microsoft provider's credential disagree"}
	}
	return o, nil
}

// settled makes sure, once, that the directory that answers is the tenant's: a credential such as a managed identity has a
// directory of its own. resource.ErrInvalid says that it is another one; any other error that it is not known.
func (c *Client) settled(ctx context.Context) error {
	c.mu.Lock()
	known := c.home
	c.mu.Unlock()
	if known {
		return nil
	}
	if _, err := c.organization(ctx); err != nil {
		return unsettled(err) // a 404 is about no object that anybody looks for
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.home = true
	return nil
}

// inTenant is the connection's client, once the directory that answers it is known to be the tenant's: in another one
// nothing may be made, and what is not found there is not gone. An application that may do nothing but write applications
// is not let know; it was consented to in a tenant, which for all credentials but a managed identity is the one asked for.
func inTenant(ctx context.Context, conn *resource.Conn) (*Client, error) {
	c, err := resource.Client[*Client](conn)
	if err != nil {
		return nil, err
	}
	if err := c.settled(ctx); err != nil && !errors.Is(err, resource.ErrDenied) {
		return nil, err
	}
	return c, nil
}
