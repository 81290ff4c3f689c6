package sim

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/weir-project/weir/providers/sim/dns"
	"github.com/weir-project/weir/providers/sim/essentials"
	"github.com/weir-project/weir/providers/sim/exchange"
	"github.com/weir-project/weir/providers/sim/graph"
	"github.com/weir-project/weir/providers/sim/login"
	"github.com/weir-project/weir/providers/sim/world"
)

// defaultJournal is how many calls the journal keeps unless Options say otherwise.
const defaultJournal = 200_000

// Options of Start. World is required; the zero value of the rest is right for tests.
type Options struct {
	// World is served and changed. It must be indexed, as Load and the generators leave it.
	World *world.World
	// Listen is the loopback host:port on which the vendors' own host names are served, default 127.0.0.1:0. The other
	// listeners take free ports of the same host.
	Listen string
	// JournalLimit is how many calls the journal keeps, the latest ones; 0 means 200,000.
	JournalLimit int
	// Now is real time, for certificates; nil means time.Now.
	Now func() time.Time
	// Sleep waits for latency faults in real time; nil means a timer. It returns early when ctx ends.
	Sleep func(ctx context.Context, d time.Duration)
}

// URLs are the base addresses of a server, without a trailing slash.
type URLs struct {
	Login      string
	Graph      string
	Exchange   string
	Essentials string
	Control    string
	// Named serves the vendors' own host names, told apart by SNI and Host: a client must dial this address for them.
	Named string
}

// Server is a running simulator. Its methods are safe for concurrent use.
type Server struct {
	world    *world.World
	options  Options
	ca       *authority
	dir      string
	handlers map[Vendor]http.Handler
	journal  journal
	faults   faults
	urls     URLs
	dns      *dns.Server
	servers  []*http.Server
	serving  sync.WaitGroup
}

// vendorHandlers is the one place where the vendors are wired to a world.
func vendorHandlers(w *world.World) map[Vendor]http.Handler {
	return map[Vendor]http.Handler{
		Login:      login.New(w),
		Graph:      graph.New(w),
		Exchange:   exchange.New(w),
		Essentials: essentials.New(w),
	}
}

// Start serves o.World until Close. On an error nothing is left behind.
func Start(o Options) (*Server, error) {
	if o.World == nil {
		return nil, errors.New("simulator: Options.World is missing")
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.JournalLimit <= 0 {
		o.JournalLimit = defaultJournal
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("simulator: address %q: %w", o.Listen, err)
	}
	if ip := net.ParseIP(host); host != loopback && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("simulator: address %q: only loopback addresses are served, for example 127.0.0.1:8443", o.Listen)
	}
	ca, err := newAuthority(o.Now())
	if err != nil {
		return nil, err
	}
	s := &Server{world: o.World, options: o, ca: ca, handlers: vendorHandlers(o.World), journal: journal{limit: o.JournalLimit}}
	if err := s.listen(host); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

func (s *Server) listen(host string) error {
	var err error
	if s.dir, err = os.MkdirTemp("", "weir-sim-"); err != nil {
		return fmt.Errorf("simulator: %w", err)
	}
	if err := os.WriteFile(s.CAFile(), s.ca.pem, 0o600); err != nil {
		return fmt.Errorf("simulator: %w", err)
	}
	free := net.JoinHostPort(host, "0")
	for _, l := range []struct {
		addr    string
		url     *string
		handler http.Handler
	}{
		{s.options.Listen, &s.urls.Named, http.HandlerFunc(s.serveNamed)},
		{free, &s.urls.Login, s.vendor(Login)},
		{free, &s.urls.Graph, s.vendor(Graph)},
		{free, &s.urls.Exchange, s.vendor(Exchange)},
		{free, &s.urls.Essentials, s.vendor(Essentials)},
		{free, &s.urls.Control, s.control()},
	} {
		listener, err := net.Listen("tcp", l.addr)
		if err != nil {
			return fmt.Errorf("simulator: %w", err)
		}
		*l.url = "https://" + listener.Addr().String()
		server := &http.Server{
			Handler: l.handler, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute,
			TLSConfig: &tls.Config{GetCertificate: s.ca.certificate, MinVersion: tls.VersionTLS12},
		}
		s.servers = append(s.servers, server)
		s.serving.Go(func() {
			// It ends with ErrServerClosed when Close is called; there is no other way for it to end that a test could mend.
			_ = server.ServeTLS(listener, "", "")
		})
	}
	s.dns, err = dns.Start(s.world, dns.Options{Addr: free, Intercept: s.interceptDNS, Observe: s.observeDNS})
	return err
}

// Close stops every listener, breaks open connections and removes the certificate file.
func (s *Server) Close() error {
	var errs []error
	for _, server := range s.servers {
		errs = append(errs, server.Close())
	}
	s.serving.Wait()
	if s.dns != nil {
		errs = append(errs, s.dns.Close())
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}

// World is the world being served. Take its lock to look at it.
func (s *Server) World() *world.World { return s.world }

// URLs are the addresses of the server.
func (s *Server) URLs() URLs { return s.urls }

// DNS is the host:port of the resolver, UDP and TCP.
func (s *Server) DNS() string { return s.dns.Addr() }

// CA is the certificate of the server's authority, PEM.
func (s *Server) CA() []byte { return append([]byte(nil), s.ca.pem...) }

// CAFile is the path of a file with CA; it lives until Close.
func (s *Server) CAFile() string { return filepath.Join(s.dir, "ca.pem") }

// Client returns an HTTP client that trusts the server's authority and reaches the vendors' own host names at this
// server; loopback addresses it dials as they are. It does not use a proxy.
func (s *Server) Client() *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(s.ca.cert)
	dialer := &net.Dialer{}
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if host, _, err := net.SplitHostPort(addr); err == nil && vendorOf(host) != "" {
				addr = strings.TrimPrefix(s.urls.Named, "https://")
			}
			return dialer.DialContext(ctx, network, addr)
		},
	}}
}

// Advance moves the world's clock forward by d and lets happen what the vendors do by themselves in that time, such as
// the hosted syncs that fall due.
func (s *Server) Advance(d time.Duration) error {
	from := s.world.Now()
	to, err := s.world.Advance(d)
	if err != nil {
		return err
	}
	essentials.Tick(s.world, from, to)
	return nil
}

// SetClock is Advance to a point in time.
func (s *Server) SetClock(t time.Time) error {
	from := s.world.Now()
	if err := s.world.SetClock(t); err != nil {
		return err
	}
	essentials.Tick(s.world, from, t)
	return nil
}

// Journal returns the calls so far, oldest first.
func (s *Server) Journal() []Entry { return s.journal.all() }

// ClearJournal forgets the calls so far.
func (s *Server) ClearJournal() { s.journal.clear() }

// Changing returns the calls so far that changed, or asked to change, something.
func (s *Server) Changing() []Entry {
	var out []Entry
	for _, e := range s.Journal() {
		if e.Changing {
			out = append(out, e)
		}
	}
	return out
}

// Fault puts rules in force, after those that are. The first rule that meets a call is the one that acts. When one is
// wrong none is taken.
func (s *Server) Fault(rules ...Rule) error {
	made := make([]*fault, 0, len(rules))
	for _, r := range rules {
		f, err := newFault(r, s.faults.number())
		if err != nil {
			return err
		}
		if r.Action.Stale {
			then, err := s.world.Clone()
			if err != nil {
				return fmt.Errorf("fault %s: %w", f.ID, err)
			}
			f.dead = vendorHandlers(then)
		}
		made = append(made, f)
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = append(s.faults.list, made...)
	return nil
}

// Faults returns the rules in force, oldest first.
func (s *Server) Faults() []Rule { return s.faults.rules() }

// ClearFaults lifts every rule.
func (s *Server) ClearFaults() { s.faults.clear() }

// serveNamed tells the vendors apart by the Host header, as their front doors do.
func (s *Server) serveNamed(w http.ResponseWriter, r *http.Request) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	v := vendorOf(host)
	if v == "" || r.TLS != nil && r.TLS.ServerName != "" && vendorOf(r.TLS.ServerName) != v {
		http.Error(w, fmt.Sprintf("the simulator serves no host %q here", host), http.StatusMisdirectedRequest)
		return
	}
	s.serve(v, w, r)
}

func (s *Server) vendor(v Vendor) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(v, w, r) })
}

// serve lets one request through to its vendor: it looks for a fault, notes the call in the journal, and changes or
// loses the answer when the fault says so.
func (s *Server) serve(v Vendor, w http.ResponseWriter, r *http.Request) {
	t := s.classify(v, r)
	f := s.faults.first(t)
	call := &world.Call{}
	r = r.WithContext(world.WithCall(r.Context(), call))
	if f == nil {
		status := &statusWriter{ResponseWriter: w}
		s.handlers[v].ServeHTTP(status, r)
		if status.status == 0 {
			status.status = http.StatusOK // a handler that writes nothing
		}
		s.note(t, call, true, status.status, status.Header().Get("request-id"), "")
		return
	}
	if f.Action.Latency > 0 {
		s.options.Sleep(r.Context(), time.Duration(f.Action.Latency))
	}
	a, reached, broken := s.faulty(f, t, r)
	id := f.ID
	switch {
	case broken:
		s.note(t, call, reached, 0, a.header.Get("request-id"), id)
		panic(http.ErrAbortHandler)
	case f.Action.TruncateBody > 0:
		s.note(t, call, reached, a.status, a.header.Get("request-id"), id)
		for k, v := range a.header {
			w.Header()[k] = v
		}
		w.Header().Set("Content-Length", fmt.Sprint(max(a.body.Len(), f.Action.TruncateBody+1)))
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body.Bytes()[:min(a.body.Len(), f.Action.TruncateBody)])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	s.note(t, call, reached, a.status, a.header.Get("request-id"), id)
	a.send(w)
}

// faulty makes the answer under a fault. reached tells whether the vendor saw the call, broken that the client gets no
// answer.
func (s *Server) faulty(f *fault, t *target, r *http.Request) (a *answer, reached, broken bool) {
	act := &f.Action
	switch {
	case act.Drop == "before":
		return newAnswer(), false, true
	case act.Status != 0 && !act.AfterEffect:
		return failure(t.vendor, act), false, false
	case act.DeltaToken == "reset" || act.DeltaToken == "expired":
		return deltaFailure(r, act.DeltaToken), false, false
	}
	if act.PageSize > 0 {
		q := r.URL.Query()
		q.Set("$top", fmt.Sprint(act.PageSize))
		u := *r.URL
		u.RawQuery = q.Encode()
		r = r.Clone(r.Context())
		r.URL = &u
	}
	if act.rewrites() {
		r.Header.Del("Accept-Encoding") // a compressed answer cannot be rewritten
	}
	handler := s.handlers[t.vendor]
	if f.dead != nil {
		handler = f.dead[t.vendor]
	}
	a = newAnswer()
	handler.ServeHTTP(a, r)
	if act.AfterEffect {
		return failure(t.vendor, act), true, false
	}
	f.rewrite(t.vendor, r, t, a)
	return a, true, act.Drop == "after"
}

// note writes the journal. A call that its vendor never saw is described by what could be told from outside.
func (s *Server) note(t *target, call *world.Call, reached bool, status int, requestID, fault string) {
	e := Entry{
		Seq: s.journal.number(), Time: s.world.Now(), Vendor: t.vendor, Method: t.method, Path: t.path, Query: t.raw, Status: status,
		Tenant: call.Tenant, Operation: call.Operation, Detail: call.Detail, Changing: call.Changing,
		Unimplemented: call.Unimplemented, Fault: fault, RequestID: requestID,
	}
	if e.Tenant == "" {
		e.Tenant = t.tenant
	}
	if !reached || *call == (world.Call{}) {
		e.Changing = t.changing
	}
	if e.Operation == "" {
		e.Operation = t.operation
	}
	if e.RequestID == "" {
		e.RequestID = fmt.Sprintf("sim-%06d", e.Seq)
	}
	s.journal.add(e)
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap serves http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (s *Server) dnsTarget(q dns.Query) *target {
	t := &target{vendor: DNS, method: strings.ToUpper(q.Network), path: q.Type + " " + q.Name}
	s.world.RLock()
	defer s.world.RUnlock()
	for name := q.Name; name != ""; _, name, _ = strings.Cut(name, ".") {
		if s.world.Tenant(name) != nil || s.world.Organization(name) != nil {
			t.name(s.world, name)
			break
		}
	}
	return t
}

func (s *Server) interceptDNS(q dns.Query) dns.Verdict {
	f := s.faults.first(s.dnsTarget(q))
	if f == nil {
		return dns.Verdict{}
	}
	if f.Action.Latency > 0 {
		s.options.Sleep(context.Background(), time.Duration(f.Action.Latency))
	}
	return dns.Verdict{Drop: f.Action.Drop != "", Rcode: f.Action.Status, Reason: f.ID}
}

func (s *Server) observeDNS(q dns.Query, rcode int, v dns.Verdict) {
	s.note(s.dnsTarget(q), &world.Call{Operation: q.Type}, true, rcode, "", v.Reason)
}
