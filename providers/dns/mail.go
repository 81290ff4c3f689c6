package dns

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/vendordata"
)

// maxLookups is the number of DNS look-ups that evaluating one SPF record may cost (RFC 7208, section 4.6.4).
const maxLookups = 10

// MailFacts says of each domain whether its mail arrives at the gateway and whether SPF lets the gateway send for it
// (R60). What could not be looked up stays unknown.
func (r *Resolver) MailFacts(ctx context.Context, domains []string, gateway vendordata.Data) resource.MailFacts {
	facts := make([]resource.DomainFacts, len(domains))
	group := errgroup.Group{}
	group.SetLimit(8)
	for i, domain := range domains {
		group.Go(func() error {
			facts[i] = r.domainFacts(ctx, domain, gateway)
			return nil
		})
	}
	_ = group.Wait() // every function returns nil: failures are facts
	out := resource.MailFacts{}
	for i, domain := range domains {
		out[strings.ToLower(domain)] = facts[i]
	}
	return out
}

func (r *Resolver) domainFacts(ctx context.Context, domain string, gateway vendordata.Data) resource.DomainFacts {
	var f resource.DomainFacts
	var problems []string
	if hosts, err := r.MX(ctx, domain); err != nil {
		problems = append(problems, err.Error())
	} else {
		at := slices.ContainsFunc(hosts, func(h string) bool {
			return slices.Contains(gateway.MXHosts, h) || strings.HasSuffix(h, ".ppe-hosted.com")
		})
		f.MXAtGateway = &at
	}
	texts, err := r.TXT(ctx, domain)
	ready, problem := false, ""
	if err == nil {
		f.TXT = append([]string{}, texts...)
		ready, problem, err = r.spf(ctx, domain, texts, gateway)
	}
	switch {
	case err != nil:
		problems = append(problems, err.Error())
	default:
		f.SPFReady = &ready
		if problem != "" {
			problems = append(problems, problem)
		}
	}
	f.Problem = strings.Join(problems, "; ")
	return f
}

// spf reports whether the domain's single SPF record lets the gateway send, in either of the two forms in the field:
// an include of the vendor's record, or an "a:" of its dispatch host. The problem says what to change.
func (r *Resolver) spf(ctx context.Context, domain string, texts []string, gateway vendordata.Data) (ready bool, problem string, err error) {
	record, problem := onlySPF(domain, texts)
	if problem != "" {
		return false, problem, nil
	}
	for _, term := range strings.Fields(record)[1:] {
		mechanism := strings.ToLower(strings.TrimPrefix(term, "+"))
		kind, target, _ := strings.Cut(mechanism, ":")
		target = name(target)
		switch {
		case kind == "include" && target == name(gateway.SPFInclude):
			ready = true
		case kind == "a" && slices.Contains(gateway.SPFHosts, target):
			ready = true
		case kind == "include" && strings.HasPrefix("_"+target, "_spf-") && strings.HasSuffix(target, ".ppe-hosted.com"):
			return false, fmt.Sprintf("the SPF record of %s includes %s, a name that does not exist; include %s", domain, target, gateway.SPFInclude), nil
		}
	}
	if !ready {
		return false, fmt.Sprintf("the SPF record of %s does not include %s", domain, gateway.SPFInclude), nil
	}
	lookups, err := r.lookups(ctx, record, map[string]bool{domain: true})
	if err != nil {
		return false, "", err
	}
	if lookups > maxLookups {
		return false, fmt.Sprintf("the SPF record of %s needs %d look-ups, and %d are allowed", domain, lookups, maxLookups), nil
	}
	return true, "", nil
}

func (r *Resolver) record(ctx context.Context, domain string) (record, problem string, err error) {
	texts, err := r.TXT(ctx, domain)
	if err != nil {
		return "", "", err
	}
	record, problem = onlySPF(domain, texts)
	return record, problem, nil
}

// onlySPF is the one SPF record among a domain's texts, or what is wrong.
func onlySPF(domain string, texts []string) (record, problem string) {
	var records []string
	for _, t := range texts {
		if f := strings.Fields(t); len(f) > 0 && strings.EqualFold(f[0], "v=spf1") {
			records = append(records, t)
		}
	}
	switch len(records) {
	case 0:
		return "", fmt.Sprintf("%s has no SPF record", domain)
	case 1:
		return records[0], ""
	}
	return "", fmt.Sprintf("%s has %d SPF records; two break SPF, keep one", domain, len(records))
}

// lookups counts the terms that cost a look-up, following includes and redirects. It stops counting above the limit.
func (r *Resolver) lookups(ctx context.Context, record string, seen map[string]bool) (int, error) {
	count := 0
	for _, term := range strings.Fields(record)[1:] {
		term = strings.ToLower(strings.TrimLeft(term, "+-~?"))
		kind, target, _ := strings.Cut(term, ":")
		if k, t, ok := strings.Cut(term, "="); ok && k == "redirect" {
			kind, target = "include", t
		}
		kind, _, _ = strings.Cut(kind, "/")
		switch kind {
		case "a", "mx", "ptr", "exists":
			count++
		case "include":
			count++
			if target = name(target); seen[target] || count > maxLookups {
				continue
			}
			seen[target] = true
			inner, problem, err := r.record(ctx, target)
			if err != nil {
				return 0, err
			}
			if problem != "" {
				continue // an include without a record is the next check's business, not the count's
			}
			n, err := r.lookups(ctx, inner, seen)
			if err != nil {
				return 0, err
			}
			count += n
		}
	}
	return count, nil
}
