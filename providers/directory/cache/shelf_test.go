package cache

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/weir-project/weir/providers/directory"
)

// memory is a shelf; fail, if given, says what goes wrong with an operation on a name.
type memory struct {
	mu      sync.Mutex
	objects map[string][]byte
	fail    func(op, name string) error
	puts    int
}

func newMemory() *memory { return &memory{objects: map[string][]byte{}} }

func (m *memory) do(op, name string) error {
	if m.fail != nil {
		return m.fail(op, name)
	}
	return nil
}

func (m *memory) List(context.Context) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.do("list", ""); err != nil {
		return nil, err
	}
	var names []string
	for name := range m.objects {
		names = append(names, name)
	}
	return append(names, "something-else"), nil
}

func (m *memory) Get(_ context.Context, name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.do("get", name); err != nil {
		return nil, err
	}
	body, ok := m.objects[name]
	if !ok {
		return nil, fmt.Errorf("%s is not there", name)
	}
	return slices.Clone(body), nil
}

func (m *memory) Put(_ context.Context, name string, body []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.do("put", name); err != nil {
		return err
	}
	if _, there := m.objects[name]; there {
		return fmt.Errorf("%s is there already", name)
	}
	m.objects[name] = slices.Clone(body)
	m.puts++
	return nil
}

func (m *memory) Remove(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, name)
	return m.do("remove", name)
}

var identity = Identity{Tenant: "3f1e0c6a-7c1e-4b7e-9a53-0d5c3b1f2a10", Root: "https://graph.microsoft.com/v1.0", Realm: "live", Fields: "ab"}

// of is a cache over a shelf; each call is another run.
func of(s Shelf) *Cache {
	n := 0
	return &Cache{Shelf: s, Identity: identity, Nonce: func() string { n++; return fmt.Sprintf("%016x", n*7+len(s.(*memory).objects)) }}
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func idOf(n int) string { return fmt.Sprintf("0b2e4c1e-4c9f-4b5f-8c1d-%012x", n) }

func user(n int) *directory.Entry {
	return &directory.Entry{
		ObjectID: idOf(n), Kind: directory.User, Address: fmt.Sprintf("u%d@contoso.example", n), UPN: fmt.Sprintf("u%d@contoso.example", n),
		Aliases: []string{fmt.Sprintf("a%d@contoso.example", n)}, Enabled: n%3 != 0, Licensed: true, HasProxy: true,
		Name: fmt.Sprintf("User %d", n), Department: "Sales", Created: noon.Add(time.Duration(n) * time.Nanosecond),
	}
}

// sample is a directory of n people, one group and one contact, with two mailboxes that are nobody's.
func sample(n int) *Directory {
	var users []*directory.Entry
	group := &directory.Entry{ObjectID: idOf(1 << 30), Kind: directory.SecurityGroup, Name: "All", Enabled: true}
	for i := range n {
		users = append(users, user(i))
		group.Members = append(group.Members, idOf(i))
	}
	contact := &directory.Entry{ObjectID: idOf(1<<30 + 1), Kind: directory.Contact, Name: "Ärzte", Address: "p@other.example", Enabled: true, HasProxy: true}
	return &Directory{
		Identity: identity, Read: noon, Users: NewCollection("/users/delta?$deltatoken=u", users),
		Groups:    NewCollection("/groups/delta?$deltatoken=g", []*directory.Entry{group}),
		Contacts:  NewCollection("/contacts/delta?$deltatoken=c", []*directory.Entry{contact}),
		FullUsers: noon, FullGroups: noon.Add(-time.Hour), FullContacts: noon,
		Mailboxes: &Mailboxes{Until: noon, Total: 7, Full: noon.Add(-2 * time.Hour), Kinds: map[string]directory.Kind{idOf(1): directory.SharedMailbox, idOf(2): directory.Room}},
	}
}

func save(t testing.TB, s Shelf, d *Directory) {
	t.Helper()
	c := of(s)
	if _, err := c.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Begin(t.Context(), d).Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func load(t testing.TB, s Shelf) *Directory {
	t.Helper()
	d, err := of(s).Load(t.Context())
	if err != nil || d == nil {
		t.Fatalf("%v, %v", d, err)
	}
	return d
}

// TestForget: everything of ours goes, manifests first, and nothing else.
func TestForget(t *testing.T) {
	m := newMemory()
	c := of(m)
	for range 3 {
		if err := c.Begin(t.Context(), sample(3)).Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	had := len(m.objects)
	m.objects["directory-of-another"] = nil
	manifests := 0
	m.fail = func(op, name string) error {
		if _, part, ok := parseName(name); op == "remove" && ok && !part {
			manifests++
		} else if op == "remove" && manifests < Keep {
			return fmt.Errorf("%s goes before its manifest", name)
		}
		return nil
	}
	n, err := Forget(t.Context(), m)
	if err != nil || n != had || n < 4 || len(m.objects) != 1 {
		t.Errorf("%d of %d removed, %d left: %v", n, had, len(m.objects), err)
	}
	if d, err := c.Load(t.Context()); d != nil || err != nil {
		t.Errorf("loaded %v: %v", d, err)
	}
	m.fail = func(string, string) error { return ErrNoShelf }
	if n, err := Forget(t.Context(), m); n != 0 || err != nil {
		t.Errorf("without a shelf: %d, %v", n, err)
	}
}
