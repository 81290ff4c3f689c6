package dns_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	mdns "github.com/miekg/dns"

	"github.com/weir-project/weir/providers/sim/dns"
	"github.com/weir-project/weir/providers/sim/world"
)

func start(t *testing.T, o dns.Options) *dns.Server {
	t.Helper()
	w := &world.World{Zones: map[string]*world.Zone{
		"contoso.example": {
			MX: map[string][]world.MXRecord{"contoso.example": {{Preference: 10, Host: "mx1.example.net"}, {Preference: 20, Host: "mx2.example.net"}}},
			TXT: map[string][]string{
				"contoso.example":            {`v=spf1 include:"x" -all`, strings.Repeat("a", 300)},
				"big.contoso.example":        {strings.Repeat("b", 1000)},
				"_dmarc.sub.contoso.example": {"v=DMARC1"},
			},
			CNAME: map[string]string{"mail.contoso.example": "host.other.example", "loop.contoso.example": "loop.contoso.example"},
		},
		"other.example":  {A: map[string][]string{"host.other.example": {"192.0.2.1", "2001:db8::1"}}},
		"broken.example": {Failing: true},
	}}
	s, err := dns.Start(w, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestAnswers(t *testing.T) {
	s := start(t, dns.Options{})
	for _, row := range []struct {
		name    string
		qtype   uint16
		rcode   int
		answers int
		text    string // occurs in the answer
	}{
		{"contoso.example.", mdns.TypeMX, mdns.RcodeSuccess, 2, "mx1.example.net."},
		{"CONTOSO.example.", mdns.TypeMX, mdns.RcodeSuccess, 2, "mx2.example.net."},
		{"contoso.example.", mdns.TypeTXT, mdns.RcodeSuccess, 2, `v=spf1`},
		{"contoso.example.", mdns.TypeA, mdns.RcodeSuccess, 0, ""},     // NODATA
		{"sub.contoso.example.", mdns.TypeA, mdns.RcodeSuccess, 0, ""}, // an empty name above another
		{"nope.contoso.example.", mdns.TypeA, mdns.RcodeNameError, 0, ""},
		{"elsewhere.example.", mdns.TypeTXT, mdns.RcodeNameError, 0, ""},
		{"mail.contoso.example.", mdns.TypeA, mdns.RcodeSuccess, 2, "192.0.2.1"},
		{"mail.contoso.example.", mdns.TypeAAAA, mdns.RcodeSuccess, 2, "2001:db8::1"},
		{"mail.contoso.example.", mdns.TypeCNAME, mdns.RcodeSuccess, 1, "host.other.example."},
		{"loop.contoso.example.", mdns.TypeA, mdns.RcodeServerFailure, 0, ""},
		{"broken.example.", mdns.TypeMX, mdns.RcodeServerFailure, 0, ""},
	} {
		m := new(mdns.Msg)
		m.SetQuestion(row.name, row.qtype)
		r, _, err := (&mdns.Client{Net: "tcp"}).Exchange(m, s.Addr())
		if err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		if r.Rcode != row.rcode || len(r.Answer) != row.answers || row.text != "" && !strings.Contains(r.String(), row.text) {
			t.Errorf("%s %s: %s", row.name, mdns.TypeToString[row.qtype], r)
		}
	}
}

func TestTruncationFallsBackToTCP(t *testing.T) {
	s := start(t, dns.Options{})
	m := new(mdns.Msg)
	m.SetQuestion("big.contoso.example.", mdns.TypeTXT)
	r, _, err := (&mdns.Client{}).Exchange(m, s.Addr())
	if err != nil || !r.Truncated || len(r.Answer) != 0 {
		t.Fatalf("over UDP: %v %v", r, err)
	}
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, s.Addr())
	}}
	txt, err := resolver.LookupTXT(context.Background(), "big.contoso.example")
	if err != nil || len(txt) != 1 || len(txt[0]) != 1000 {
		t.Fatalf("%v %v", txt, err)
	}
	txt, err = resolver.LookupTXT(context.Background(), "contoso.example")
	if err != nil || len(txt) != 2 || txt[0] != `v=spf1 include:"x" -all` && txt[1] != `v=spf1 include:"x" -all` {
		t.Fatalf("%q %v", txt, err)
	}
}

func TestIntercept(t *testing.T) {
	var seen atomic.Int64
	s := start(t, dns.Options{
		Intercept: func(q dns.Query) dns.Verdict {
			if q.Name == "contoso.example" && q.Type == "MX" {
				return dns.Verdict{Rcode: mdns.RcodeServerFailure}
			}
			return dns.Verdict{}
		},
		Observe: func(dns.Query, int, dns.Verdict) { seen.Add(1) },
	})
	for qtype, want := range map[uint16]int{mdns.TypeMX: mdns.RcodeServerFailure, mdns.TypeTXT: mdns.RcodeSuccess} {
		m := new(mdns.Msg)
		m.SetQuestion("contoso.example.", qtype)
		r, _, err := (&mdns.Client{Net: "tcp"}).Exchange(m, s.Addr())
		if err != nil || r.Rcode != want {
			t.Errorf("%d: %v %v", qtype, r, err)
		}
	}
	if seen.Load() != 2 {
		t.Errorf("observed %d questions, want 2", seen.Load())
	}
}
