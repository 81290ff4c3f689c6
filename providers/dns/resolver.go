package dns

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Config says whom to ask.
type Config struct {
	// Server is host:port; "" takes the first name server of /etc/resolv.conf.
	Server string
	// Timeout bounds one query; 0 means 5 seconds.
	Timeout time.Duration
}

// Resolver asks one recursive name server. Safe for concurrent use.
type Resolver struct {
	server  string
	timeout time.Duration
}

// New returns a resolver. Without a server and without a system configuration every look-up fails.
func New(c Config) *Resolver {
	r := &Resolver{server: c.Server, timeout: c.Timeout}
	if r.timeout == 0 {
		r.timeout = 5 * time.Second
	}
	if r.server == "" {
		if system, err := dns.ClientConfigFromFile("/etc/resolv.conf"); err == nil && len(system.Servers) > 0 {
			r.server = net.JoinHostPort(system.Servers[0], system.Port)
		}
	}
	return r
}

// MX returns the domain's mail exchangers, lower case without final dot, by preference. An empty list means that the
// name server said there is none.
func (r *Resolver) MX(ctx context.Context, domain string) ([]string, error) {
	answer, err := r.ask(ctx, domain, dns.TypeMX)
	if err != nil {
		return nil, err
	}
	var records []*dns.MX
	for _, rr := range answer {
		if mx, ok := rr.(*dns.MX); ok {
			records = append(records, mx)
		}
	}
	slices.SortFunc(records, func(a, b *dns.MX) int { return int(a.Preference) - int(b.Preference) })
	hosts := make([]string, len(records))
	for i, mx := range records {
		hosts[i] = name(mx.Mx)
	}
	return hosts, nil
}

// TXT returns the domain's text records, each with its strings joined.
func (r *Resolver) TXT(ctx context.Context, domain string) ([]string, error) {
	answer, err := r.ask(ctx, domain, dns.TypeTXT)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, rr := range answer {
		if txt, ok := rr.(*dns.TXT); ok {
			out = append(out, strings.Join(txt.Txt, ""))
		}
	}
	return out, nil
}

// ask queries over UDP, and over TCP when the answer was cut. NXDOMAIN is an empty answer; any other failure an error.
func (r *Resolver) ask(ctx context.Context, domain string, qtype uint16) ([]dns.RR, error) {
	if r.server == "" {
		return nil, fmt.Errorf("%s %s: no name server is configured", dns.TypeToString[qtype], domain)
	}
	query := new(dns.Msg)
	query.SetQuestion(dns.Fqdn(domain), qtype)
	query.SetEdns0(1232, false)
	var last error
	for _, network := range []string{"udp", "udp", "tcp"} {
		client := &dns.Client{Net: network, Timeout: r.timeout}
		answer, _, err := client.ExchangeContext(ctx, query, r.server)
		switch {
		case err != nil:
			last = err
		case answer.Truncated && network == "udp":
			last = fmt.Errorf("the answer was cut")
		case answer.Rcode == dns.RcodeNameError:
			return nil, nil
		case answer.Rcode != dns.RcodeSuccess:
			last = fmt.Errorf("the name server answered %s", dns.RcodeToString[answer.Rcode])
		default:
			return answer.Answer, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("%s %s: %w", dns.TypeToString[qtype], domain, last)
}

func name(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }
