package dns

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"github.com/weir-project/weir/providers/sim/world"
)

// ttl of every record, seconds.
const ttl = 300

// Query is one question, for Options.Intercept and Options.Observe.
type Query struct {
	Name    string // lower case, no trailing dot
	Type    string // "TXT", "MX", …
	Network string // "udp" or "tcp"
}

// Verdict is what is to be done about a question instead of answering it. The zero value answers it.
type Verdict struct {
	Drop  bool // say nothing
	Rcode int  // answer with this code (2 is SERVFAIL) and no records; 0 answers as usual
	// Reason is handed on to Options.Observe.
	Reason string
}

// Options of Start. The zero value listens on a free port of 127.0.0.1 and answers everything.
type Options struct {
	Addr string // host:port, default 127.0.0.1:0; UDP and TCP share the port
	// Intercept is asked before each answer; nil never interferes. It is called from several goroutines.
	Intercept func(Query) Verdict
	// Observe hears of each answer with its code, and of the verdict about the question; for a dropped question the code is
	// -1. It is called from several goroutines.
	Observe func(Query, int, Verdict)
}

// Server is a running resolver.
type Server struct {
	world    *world.World
	options  Options
	addr     string
	udp, tcp *dns.Server
	done     chan error
}

// Start listens and serves until Close. It locks w for reading, for each question.
func Start(w *world.World, o Options) (*Server, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	s := &Server{world: w, options: o, done: make(chan error, 2)}
	packets, listener, err := listen(o.Addr)
	if err != nil {
		return nil, fmt.Errorf("dns: listen on %s: %w", o.Addr, err)
	}
	s.addr = listener.Addr().String()
	s.udp = &dns.Server{PacketConn: packets, Handler: s.handler("udp")}
	s.tcp = &dns.Server{Listener: listener, Handler: s.handler("tcp")}
	for _, server := range []*dns.Server{s.udp, s.tcp} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		go func() { s.done <- server.ActivateAndServe() }()
		<-started // Shutdown of a server that has not started would be refused
	}
	return s, nil
}

// listen opens both sockets on one port. A free TCP port may be taken for UDP, so it tries a few.
func listen(addr string) (net.PacketConn, net.Listener, error) {
	var last error
	for range 20 {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, nil, err
		}
		p, err := net.ListenPacket("udp", l.Addr().String())
		if err == nil {
			return p, l, nil
		}
		last = errors.Join(err, l.Close())
		if !strings.HasSuffix(addr, ":0") {
			break
		}
	}
	return nil, nil, last
}

// Addr is the host:port on which the server listens, UDP and TCP.
func (s *Server) Addr() string { return s.addr }

// Close stops both sockets and waits for them.
func (s *Server) Close() error {
	return errors.Join(s.udp.Shutdown(), s.tcp.Shutdown(), <-s.done, <-s.done)
}

func (s *Server) handler(network string) dns.Handler {
	return dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) {
		m := new(dns.Msg)
		m.SetReply(r)
		m.RecursionAvailable = true
		if len(r.Question) != 1 || r.Opcode != dns.OpcodeQuery {
			m.Rcode = dns.RcodeFormatError
			_ = w.WriteMsg(m) // a client that has gone is no concern of ours
			return
		}
		question := r.Question[0]
		q := Query{Name: strings.TrimSuffix(strings.ToLower(question.Name), "."), Type: typeName(question.Qtype), Network: network}
		var v Verdict
		if s.options.Intercept != nil {
			v = s.options.Intercept(q)
		}
		switch {
		case v.Drop:
			s.observe(q, -1, v)
			return
		case v.Rcode != 0:
			m.Rcode = v.Rcode
		case question.Qclass != dns.ClassINET:
			m.Rcode = dns.RcodeNotImplemented
		default:
			s.answer(m, q.Name, question.Qtype)
		}
		if network == "udp" {
			size := dns.MinMsgSize
			if o := r.IsEdns0(); o != nil {
				size = max(size, int(o.UDPSize()))
				m.SetEdns0(o.UDPSize(), false)
			}
			m.Truncate(size)
		}
		s.observe(q, m.Rcode, v)
		_ = w.WriteMsg(m)
	})
}

func (s *Server) observe(q Query, rcode int, v Verdict) {
	if s.options.Observe != nil {
		s.options.Observe(q, rcode, v)
	}
}

func typeName(t uint16) string {
	if n, ok := dns.TypeToString[t]; ok {
		return n
	}
	return "TYPE" + strconv.Itoa(int(t))
}

// answer fills in records, or NXDOMAIN when the name does not exist, or nothing when it exists without such records.
func (s *Server) answer(m *dns.Msg, name string, qtype uint16) {
	s.world.RLock()
	defer s.world.RUnlock()
	for range 9 { // as many aliases as resolvers follow
		z, apex := s.zone(name)
		if z == nil {
			m.Rcode = dns.RcodeNameError
			return
		}
		if z.Failing {
			m.Rcode, m.Answer = dns.RcodeServerFailure, nil
			return
		}
		if target, ok := z.CNAME[name]; ok {
			m.Answer = append(m.Answer, &dns.CNAME{Hdr: header(name, dns.TypeCNAME), Target: dns.Fqdn(strings.ToLower(target))})
			if qtype == dns.TypeCNAME {
				return
			}
			name = strings.TrimSuffix(strings.ToLower(target), ".")
			continue
		}
		records := recordsOf(z, name, qtype)
		m.Answer = append(m.Answer, records...)
		if len(records) == 0 {
			if !exists(z, apex, name) {
				m.Rcode = dns.RcodeNameError
			}
			m.Ns = append(m.Ns, &dns.SOA{Hdr: header(apex, dns.TypeSOA), Ns: "ns." + dns.Fqdn(apex), Mbox: "hostmaster." + dns.Fqdn(apex),
				Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, Minttl: ttl})
		}
		return
	}
	m.Rcode, m.Answer = dns.RcodeServerFailure, nil // a loop of aliases
}

// zone returns the closest zone above name, with its apex.
func (s *Server) zone(name string) (*world.Zone, string) {
	for apex := name; apex != ""; {
		if z := s.world.Zones[apex]; z != nil {
			return z, apex
		}
		_, apex, _ = strings.Cut(apex, ".")
	}
	return nil, ""
}

func recordsOf(z *world.Zone, name string, qtype uint16) []dns.RR {
	var out []dns.RR
	switch qtype {
	case dns.TypeTXT:
		for _, t := range z.TXT[name] {
			out = append(out, &dns.TXT{Hdr: header(name, qtype), Txt: chunks(t)})
		}
	case dns.TypeMX:
		for _, x := range z.MX[name] {
			out = append(out, &dns.MX{Hdr: header(name, qtype), Preference: x.Preference, Mx: dns.Fqdn(strings.ToLower(x.Host))})
		}
	case dns.TypeA, dns.TypeAAAA:
		for _, a := range z.A[name] {
			ip := net.ParseIP(a)
			switch {
			case ip == nil:
			case ip.To4() != nil && qtype == dns.TypeA:
				out = append(out, &dns.A{Hdr: header(name, qtype), A: ip.To4()})
			case ip.To4() == nil && qtype == dns.TypeAAAA:
				out = append(out, &dns.AAAA{Hdr: header(name, qtype), AAAA: ip})
			}
		}
	}
	return out
}

// exists tells whether name has records of any type, or names below it do (then it is an empty name, not a missing one).
func exists(z *world.Zone, apex, name string) bool {
	if name == apex {
		return true
	}
	suffix := "." + name
	return has(z.TXT, name, suffix) || has(z.MX, name, suffix) || has(z.CNAME, name, suffix) || has(z.A, name, suffix)
}

func has[V any](m map[string]V, name, suffix string) bool {
	if _, ok := m[name]; ok {
		return true
	}
	for n := range m {
		if strings.HasSuffix(n, suffix) {
			return true
		}
	}
	return false
}

func header(name string, rrtype uint16) dns.RR_Header {
	return dns.RR_Header{Name: dns.Fqdn(name), Rrtype: rrtype, Class: dns.ClassINET, Ttl: ttl}
}

// chunks splits a text into the strings of at most 255 bytes that one TXT record carries, escaped as miekg/dns wants.
func chunks(text string) []string {
	var out []string
	for part := range slices.Chunk([]byte(text), 255) {
		out = append(out, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(string(part)))
	}
	if out == nil {
		out = []string{""}
	}
	return out
}
