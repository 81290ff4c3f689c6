package sim

import (
	"sync"
	"time"
)

// Vendor names a simulated service, in journal entries and fault rules.
type Vendor string

// The simulated services.
const (
	Login      Vendor = "login"
	Graph      Vendor = "graph"
	Exchange   Vendor = "exchange"
	Essentials Vendor = "essentials"
	DNS        Vendor = "dns"
)

// Entry is one call in the journal. It never holds headers, bodies or the query of a login request, so no secret of a
// well-behaved client reaches it.
type Entry struct {
	// Seq counts the calls of a server from 1.
	Seq int64 `json:"seq"`
	// Time is the world's clock when the call was answered.
	Time   time.Time `json:"time"`
	Vendor Vendor    `json:"vendor"`
	// Method is the HTTP method; for DNS "UDP" or "TCP".
	Method string `json:"method"`
	// Path is the URL path without a stack segment; for DNS the record type and the name ("MX contoso.example").
	Path  string `json:"path"`
	Query string `json:"query,omitempty"`
	// Status is the HTTP status the client saw; 0 when the connection was dropped. For DNS it is the response code, -1 when
	// nothing was answered.
	Status int `json:"status"`
	// Tenant is the Entra tenant id or the organization's primary domain, "" when the call was about none.
	Tenant string `json:"tenant,omitempty"`
	// Operation is the vendor's name of the call: a cmdlet, or method and path template.
	Operation string `json:"operation,omitempty"`
	// Detail is a word for people, such as the object or the error.
	Detail string `json:"detail,omitempty"`
	// Changing is true when the call changed, or asked to change, something.
	Changing bool `json:"changing"`
	// Unimplemented is true when the simulator does not know the call.
	Unimplemented bool `json:"unimplemented,omitempty"`
	// Fault is the id of the fault rule that met the call, "" when none did.
	Fault     string `json:"fault,omitempty"`
	RequestID string `json:"request_id"`
}

// journal keeps the last limit entries.
type journal struct {
	mu      sync.Mutex
	limit   int
	seq     int64
	entries []Entry // a ring once it is full
	next    int     // where the next entry goes in a full ring
}

func (j *journal) number() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seq++
	return j.seq
}

func (j *journal) add(e Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.entries) < j.limit {
		j.entries = append(j.entries, e)
		return
	}
	j.entries[j.next] = e
	j.next = (j.next + 1) % j.limit
}

func (j *journal) all() []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]Entry, 0, len(j.entries))
	out = append(out, j.entries[j.next:]...)
	return append(out, j.entries[:j.next]...)
}

func (j *journal) clear() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries, j.next = nil, 0
}
