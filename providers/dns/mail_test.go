package dns

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/weir-project/weir/providers/vendordata"
)

// zone answers TXT and MX from maps; names in failing answer SERVFAIL.
type zone struct {
	txt     map[string][]string
	mx      map[string][]string
	failing map[string]bool
}

func (z zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(q)
	owner := strings.TrimSuffix(strings.ToLower(q.Question[0].Name), ".")
	head := dns.RR_Header{Name: q.Question[0].Name, Rrtype: q.Question[0].Qtype, Class: dns.ClassINET, Ttl: 60}
	switch {
	case z.failing[owner]:
		m.Rcode = dns.RcodeServerFailure
	case head.Rrtype == dns.TypeTXT:
		for _, t := range z.txt[owner] {
			m.Answer = append(m.Answer, &dns.TXT{Hdr: head, Txt: []string{t}})
		}
	case head.Rrtype == dns.TypeMX:
		for i, h := range z.mx[owner] {
			m.Answer = append(m.Answer, &dns.MX{Hdr: head, Preference: uint16(10 * (i + 1)), Mx: h + "."})
		}
	}
	_ = w.WriteMsg(m)
}

func resolverFor(t *testing.T, z zone) *Resolver {
	t.Helper()
	var pc net.PacketConn
	var listener net.Listener
	for try := 0; listener == nil; try++ {
		// The TCP port beside a free UDP port may be taken.
		var err error
		if pc, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if listener, err = net.Listen("tcp", pc.LocalAddr().String()); err != nil && try == 20 {
			t.Fatal(err)
		} else if err != nil {
			_ = pc.Close()
		}
	}
	udp, tcp := &dns.Server{PacketConn: pc, Handler: z}, &dns.Server{Listener: listener, Handler: z}
	go func() { _ = udp.ActivateAndServe() }()
	go func() { _ = tcp.ActivateAndServe() }()
	t.Cleanup(func() { _ = udp.Shutdown(); _ = tcp.Shutdown() })
	return New(Config{Server: pc.LocalAddr().String()})
}

func TestMailFacts(t *testing.T) {
	gateway, err := vendordata.Lookup("us1", "")
	if err != nil {
		t.Fatal(err)
	}
	includes := func(n int) []string {
		return []string{"v=spf1 include:" + gateway.SPFInclude + strings.Repeat(" a:x.example", n) + " -all"}
	}
	r := resolverFor(t, zone{
		txt: map[string][]string{
			"include.example": {"MS=ms1", "v=spf1 include:" + gateway.SPFInclude + " -all"},
			"a.example":       {"v=spf1 a:" + gateway.SPFHosts[0] + " ~all"},
			"none.example":    {"MS=ms1"},
			"other.example":   {"v=spf1 include:spf.protection.outlook.com -all"},
			"two.example":     {"v=spf1 include:" + gateway.SPFInclude + " -all", "v=spf1 -all"},
			"trap.example":    {"v=spf1 include:spf-us.ppe-hosted.com -all"},
			"long.example":    includes(10),
			"fits.example":    includes(9),
		},
		mx:      map[string][]string{"include.example": gateway.MXHosts, "a.example": {"a-example.mail.protection.outlook.com"}},
		failing: map[string]bool{"broken.example": true},
	})
	for _, row := range []struct {
		domain  string
		mx, spf string // yes, no, unknown
		problem string
	}{
		{"include.example", "yes", "yes", ""},
		{"a.example", "no", "yes", ""},
		{"none.example", "no", "no", "no SPF record"},
		{"other.example", "no", "no", "does not include"},
		{"two.example", "no", "no", "2 SPF records"},
		{"trap.example", "no", "no", "does not exist"},
		{"long.example", "no", "no", "11 look-ups"},
		{"fits.example", "no", "yes", ""},
		{"broken.example", "unknown", "unknown", "SERVFAIL"},
	} {
		t.Run(row.domain, func(t *testing.T) {
			f := r.MailFacts(context.Background(), []string{row.domain}, gateway)[row.domain]
			if got := tri(f.MXAtGateway); got != row.mx {
				t.Errorf("MX at the gateway: %s, want %s", got, row.mx)
			}
			if got := tri(f.SPFReady); got != row.spf {
				t.Errorf("SPF ready: %s, want %s (%s)", got, row.spf, f.Problem)
			}
			if row.problem == "" && f.Problem != "" || !strings.Contains(f.Problem, row.problem) {
				t.Errorf("problem %q, want one with %q", f.Problem, row.problem)
			}
		})
	}
}

func tri(b *bool) string {
	switch {
	case b == nil:
		return "unknown"
	case *b:
		return "yes"
	}
	return "no"
}
