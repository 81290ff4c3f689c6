package resourcetest

import (
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
)

// Harness describes one resource type to the suite.
type Harness struct {
	// Type is the type under test.
	Type *resource.Type
	// Open makes a fresh backend on which the object of Config does not exist yet (a singleton: is not configured). It is
	// called at least once a case.
	Open func(t testing.TB) *Backend
	// Config is the block of the first object as evaluated: what is left out is null, defaults are not filled in. It
	// should manage every attribute that Changes names, so that drift of it can be seen.
	Config cty.Value
	// Second is the block of another object in the same tenant; cty.NilVal when there can be only one.
	Second cty.Value
	// Changes has another value for every attribute that a block may write and a live read shows. It is the value that an
	// update sets and the one that somebody sets in the portal.
	Changes []Change
	// Skip says why a path is left out, by path ("name") for all cases, or by path and case ("name:drift"). The cases
	// that look at single attributes are update, unmanaged, drift and empty.
	Skip map[string]string
	// Foreign is the number of objects that List returns on a fresh backend.
	Foreign int
}

// Change is another value for one attribute.
type Change struct {
	// Path is dotted: "features.url_defense".
	Path string
	// Value is the other value.
	Value cty.Value
	// Also are further attributes that must change with it for the block to be valid.
	Also map[string]cty.Value
	// Shows is the path under which a live read shows the attribute, for a local argument from which a computed attribute
	// follows; "" is Path. Backend.Edit is given it.
	Shows string
}

func (c Change) shows() string {
	if c.Shows != "" {
		return c.Shows
	}
	return c.Path
}

// Backend is one vendor with one tenant, fresh for a case.
type Backend struct {
	// Conn is the tenant's connection.
	Conn *resource.Conn
	// Edit changes one attribute of the first object behind Weir's back, as a person would in the portal.
	Edit func(path string, value cty.Value) error
	// Remove deletes the first object in the portal; nil when nobody can.
	Remove func() error
	// Fault makes the calls that follow fail; None ends it.
	Fault func(Fault)
	// Changed counts the changing calls that took effect so far.
	Changed func() int
	// Directory answers questions about the directory at plan time; nil when the type asks none.
	Directory resource.DirectoryFacts
	// Secrets resolves secret references; nil takes a resolver that gives every reference a made-up value and keeps what
	// is issued.
	Secrets resource.Secrets
}

// Fault is what goes wrong until it ends.
type Fault string

// The faults that a backend can be asked for.
const (
	// None: everything works.
	None Fault = ""
	// Throttled: every call is refused with 429 before it has an effect.
	Throttled Fault = "throttled"
	// LostAnswer: changing calls take effect, but their answer is lost.
	LostAnswer Fault = "lost answer"
	// Denied: every call is refused with 401.
	Denied Fault = "denied"
	// ServerError: every call is refused with 500 before it has an effect.
	ServerError Fault = "server error"
	// HTMLPage: reads answer 200 with a web page.
	HTMLPage Fault = "web page"
	// EmptyBody: reads answer 200 with nothing.
	EmptyBody Fault = "empty body"
	// Truncated: reads answer 200 with the first half of the answer.
	Truncated Fault = "truncated"
	// Unreachable: no call reaches the vendor.
	Unreachable Fault = "unreachable"
)

// readFaults are those after which nothing is known of an object.
var readFaults = []Fault{Throttled, Denied, ServerError, HTMLPage, EmptyBody, Truncated, Unreachable}

// Run runs every case of the suite as a subtest.
func Run(t *testing.T, h Harness) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.check(t, &h) })
	}
}

// testCase is one case. It may stop the test with Fatal.
type testCase struct {
	name  string
	check func(t testing.TB, h *Harness)
}
