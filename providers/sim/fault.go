package sim

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Rule is one fault: which calls it meets, and what happens to them. A field that is left out meets every call.
type Rule struct {
	// ID names the rule in the journal; left out, it becomes "fault-N".
	ID string `json:"id,omitempty"`
	// Vendor is login, graph, exchange, essentials or dns.
	Vendor Vendor `json:"vendor,omitempty"`
	// Method is an HTTP method.
	Method string `json:"method,omitempty"`
	// Path is matched against the URL path (for DNS: record type, space, name). "*" stands for any text, also across
	// slashes; a pattern that begins with "^" is a regular expression. A pattern that contains "?" is matched against path
	// and decoded query together.
	Path string `json:"path,omitempty"`
	// Tenant is an Entra tenant id, a verified domain or a domain of the organization; it meets the calls of all vendors
	// about that customer.
	Tenant string `json:"tenant,omitempty"`
	// Operation is an Exchange cmdlet ("New-InboundConnector") or an operation of the Essentials API
	// ("POST /orgs/{d}/users"), whatever its case. Calls of other vendors have none.
	Operation string `json:"operation,omitempty"`
	// Changing, when given, meets only calls that ask for a change (true) or that do not (false).
	Changing *bool `json:"changing,omitempty"`
	// After lets that many matching calls through first. Times is how many calls after them the rule meets; 0 means all.
	After int `json:"after,omitempty"`
	Times int `json:"times,omitempty"`

	Action Action `json:"action"`
}

// Action is what a fault does. Latency goes with everything; of the rest one is given.
type Action struct {
	// Latency is waited before anything else ("250ms").
	Latency Duration `json:"latency,omitempty"`
	// Status answers with that status instead of the vendor; for DNS it is the response code (2 is SERVFAIL). The call has
	// no effect unless AfterEffect is true: then the vendor carries it out and only the answer is replaced.
	Status      int  `json:"status,omitempty"`
	AfterEffect bool `json:"after_effect,omitempty"`
	// RetryAfter is the value of the Retry-After header: seconds, also fractional ("1.5"), or a date.
	RetryAfter string `json:"retry_after,omitempty"`
	// Body goes with Status: "html" is a proxy's page, "empty" nothing, "nul" the run of NUL bytes of Exchange's 403, any
	// other text is sent as it stands ("{}"). Left out, it is an error in the vendor's form.
	Body string `json:"body,omitempty"`
	// Drop closes the connection "before" the call has its effect, or "after" it had: the answer is lost.
	Drop string `json:"drop,omitempty"`
	// TruncateBody sends that many bytes of the answer and then breaks the connection.
	TruncateBody int `json:"truncate_body,omitempty"`

	// The rest rewrite successful answers to reads, lists mostly.

	// LastPage removes the link to the next page from page N: the list ends early and says nothing about it.
	LastPage int `json:"last_page,omitempty"`
	// KeepItems cuts every list to its first N items and removes the link to the next page; for lists without pages.
	KeepItems *int `json:"keep_items,omitempty"`
	// RepeatPage makes the page after page N carry page N's items again, in the place of its own.
	RepeatPage int `json:"repeat_page,omitempty"`
	// PageSize asks the vendor for pages of that size ($top), so that small lists have several.
	PageSize int `json:"page_size,omitempty"`
	// EmptyList makes every list empty, with status 200 and a count of 0.
	EmptyList bool `json:"empty_list,omitempty"`
	// ErrorWith200 answers 200 with an error body.
	ErrorWith200 bool `json:"error_with_200,omitempty"`
	// DeltaToken spoils delta reads of Graph: "reset" answers 410 with a Location, "expired" 400 syncStateNotFound, both
	// to requests that carry a token; "missing" removes the delta link from the last page.
	DeltaToken string `json:"delta_token,omitempty"`
	// CountOffset is added to what @odata.count and /$count say.
	CountOffset int `json:"count_offset,omitempty"`
	// Stale answers from the world as it was when the rule was made.
	Stale bool `json:"stale,omitempty"`
}

// Duration is a time.Duration written as text ("1.5s") in JSON.
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is no duration: write for example 250ms", b)
	}
	*d = Duration(v)
	return nil
}

// rewrites tells whether the action changes the answer of a read.
func (a *Action) rewrites() bool {
	return a.LastPage > 0 || a.KeepItems != nil || a.RepeatPage > 0 || a.EmptyList || a.ErrorWith200 || a.CountOffset != 0 ||
		a.DeltaToken == "missing"
}

// readsOnly tells whether the action makes sense for reads alone.
func (a *Action) readsOnly() bool {
	return a.rewrites() || a.PageSize > 0 || a.Stale || a.DeltaToken != ""
}

func (a *Action) validate() error {
	var err error
	switch a.Drop {
	case "", "before", "after":
	default:
		err = errors.Join(err, fmt.Errorf("drop %q: want \"before\" or \"after\"", a.Drop))
	}
	switch a.DeltaToken {
	case "", "reset", "expired", "missing":
	default:
		err = errors.Join(err, fmt.Errorf("delta_token %q: want \"reset\", \"expired\" or \"missing\"", a.DeltaToken))
	}
	if a.Status != 0 && (a.Status < 0 || a.Status > 599) {
		err = errors.Join(err, fmt.Errorf("status %d: want 100 to 599, or for DNS a response code", a.Status))
	}
	if a.Status == 0 && (a.Body != "" || a.RetryAfter != "" || a.AfterEffect) {
		err = errors.Join(err, errors.New("body, retry_after and after_effect go with status"))
	}
	if a.LastPage < 0 || a.RepeatPage < 0 || a.PageSize < 0 || a.TruncateBody < 0 || a.KeepItems != nil && *a.KeepItems < 0 {
		err = errors.Join(err, errors.New("numbers of pages, items and bytes are not negative"))
	}
	if *a == (Action{}) {
		err = errors.Join(err, errors.New("the action says nothing: give it status, drop, latency or another field"))
	}
	return err
}

// fault is a rule in force.
type fault struct {
	Rule
	match func(subject string) bool
	// dead are the handlers over the world as it was, for stale reads.
	dead map[Vendor]http.Handler

	mu    sync.Mutex
	met   int                  // matching calls so far
	pages map[string]*pageMark // by list
}

// pageMark is how far a reader of one list has come.
type pageMark struct {
	page  int
	items []byte // of the page before, when it is to be repeated
}

func newFault(r Rule, n int) (*fault, error) {
	if r.ID == "" {
		r.ID = "fault-" + strconv.Itoa(n)
	}
	switch r.Vendor {
	case "", Login, Graph, Exchange, Essentials, DNS:
	default:
		return nil, fmt.Errorf("fault %s: vendor %q: want login, graph, exchange, essentials or dns", r.ID, r.Vendor)
	}
	if r.After < 0 || r.Times < 0 {
		return nil, fmt.Errorf("fault %s: after and times are not negative", r.ID)
	}
	if err := r.Action.validate(); err != nil {
		return nil, fmt.Errorf("fault %s: %w", r.ID, err)
	}
	match, err := pattern(r.Path)
	if err != nil {
		return nil, fmt.Errorf("fault %s: path %q: %w", r.ID, r.Path, err)
	}
	return &fault{Rule: r, match: match, pages: map[string]*pageMark{}}, nil
}

func pattern(p string) (func(string) bool, error) {
	if p == "" {
		return func(string) bool { return true }, nil
	}
	if !strings.HasPrefix(p, "^") {
		parts := strings.Split(p, "*")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		p = "^(?s:" + strings.Join(parts, ".*") + ")$"
	}
	re, err := regexp.Compile(p)
	if err != nil {
		return nil, err
	}
	return re.MatchString, nil
}

// target is what is known of a call before it is served.
type target struct {
	vendor    Vendor
	method    string
	path      string
	query     url.Values
	tenants   []string // lower-case names by which a rule may mean the customer
	tenant    string
	operation string
	changing  bool
	// raw is the query as sent, for patterns.
	raw string
}

// takes tells whether the rule meets the call, and counts it.
func (f *fault) takes(t *target) bool {
	a := &f.Action
	if f.Vendor != "" && f.Vendor != t.vendor || f.Method != "" && !strings.EqualFold(f.Method, t.method) ||
		f.Operation != "" && !strings.EqualFold(f.Operation, t.operation) || f.Changing != nil && *f.Changing != t.changing {
		return false
	}
	if f.Tenant != "" && !containsFold(t.tenants, f.Tenant) {
		return false
	}
	subject := t.path
	if strings.Contains(f.Path, "?") && t.raw != "" {
		subject += "?" + t.raw
	}
	if !f.match(subject) {
		return false
	}
	if t.vendor != DNS && a.readsOnly() && t.changing || t.vendor == DNS && a.readsOnly() {
		return false
	}
	if a.DeltaToken == "reset" || a.DeltaToken == "expired" {
		if token := t.query.Get("$deltatoken"); token == "" || token == "latest" {
			return false
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.met++
	return f.met > f.After && (f.Times == 0 || f.met <= f.After+f.Times)
}

func containsFold(list []string, s string) bool {
	for _, e := range list {
		if strings.EqualFold(e, s) {
			return true
		}
	}
	return false
}

// faults are the rules in force, oldest first.
type faults struct {
	mu   sync.RWMutex
	list []*fault
	made int
}

func (fs *faults) first(t *target) *fault {
	fs.mu.RLock()
	defer fs.mu.RUnlock()
	for _, f := range fs.list {
		if f.takes(t) {
			return f
		}
	}
	return nil
}

func (fs *faults) number() int {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.made++
	return fs.made
}

func (fs *faults) rules() []Rule {
	fs.mu.RLock()
	defer fs.mu.RUnlock()
	out := make([]Rule, 0, len(fs.list))
	for _, f := range fs.list {
		out = append(out, f.Rule)
	}
	return out
}

func (fs *faults) clear() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.list = nil
}
