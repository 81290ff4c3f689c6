package cache

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/providers/directory"
)

// TestRoundTrip: what is written is read, each format version by its own test.
func TestRoundTrip(t *testing.T) {
	for _, n := range []int{0, 1, 3 * perShard} {
		m := newMemory()
		want := sample(n)
		save(t, m, want)
		got := load(t, m)
		if got.Read != noon || got.Full() != noon.Add(-2*time.Hour) || got.Users.Link != want.Users.Link || got.Contacts.Link != want.Contacts.Link ||
			got.Groups.Link != want.Groups.Link || got.Changed() || got.Name == "" || got.Digest == "" || got.Len() != n+2 {
			t.Errorf("%+v", got)
		}
		if !reflect.DeepEqual(got.Mailboxes.Kinds, want.Mailboxes.Kinds) || got.Mailboxes.Until != noon || got.Mailboxes.Total != 7 {
			t.Errorf("mailboxes %+v", got.Mailboxes)
		}
		for _, c := range []struct{ got, want *Collection }{{got.Users, want.Users}, {got.Groups, want.Groups}, {got.Contacts, want.Contacts}} {
			if !reflect.DeepEqual(slices.Collect(c.got.All()), slices.Collect(c.want.All())) {
				t.Errorf("%d: the entries of %s differ", n, c.want.Link)
			}
		}
	}
}

// TestEveryField: a field that directory.Entry gains must be cached, or named here with the reason why not.
func TestEveryField(t *testing.T) {
	full := &directory.Entry{}
	v := reflect.ValueOf(full).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Interface().(type) {
		case directory.Kind:
			f.SetString(string(directory.Guest))
		case string:
			f.SetString("text of " + v.Type().Field(i).Name)
		case bool:
			f.SetBool(true)
		case []string:
			f.Set(reflect.ValueOf([]string{"one", v.Type().Field(i).Name}))
		case time.Time:
			f.Set(reflect.ValueOf(noon.Add(7 * time.Nanosecond)))
		default:
			t.Fatalf("a field of type %s has no stored form", f.Type())
		}
	}
	raw, err := appendEntry(nil, full)
	if err != nil {
		t.Fatal(err)
	}
	got, rest, err := cutEntry(raw)
	if err != nil || len(rest) > 0 {
		t.Fatal(err)
	}
	full.Groups = nil // they follow from the members of the groups
	if !reflect.DeepEqual(got, full) {
		t.Errorf("got  %+v\nwant %+v", got, full)
	}
	if Equal(full, &directory.Entry{}) || !Equal(full, got) {
		t.Error("Equal does not tell entries apart")
	}
}

func TestCollection(t *testing.T) {
	c := NewCollection("x", []*directory.Entry{user(2), user(1), user(2)})
	if c.Len() != 2 || c.Get(idOf(1)) == nil || c.Get(idOf(3)) != nil {
		t.Errorf("%d entries", c.Len())
	}
	c.Put(user(3))
	changed := user(1)
	changed.Name = "New"
	c.Put(changed)
	if c.Len() != 3 || c.Get(idOf(1)).Name != "New" || !c.Remove(idOf(2)) || c.Remove(idOf(2)) || c.Len() != 2 {
		t.Errorf("%d entries", c.Len())
	}
	empty := &Collection{}
	if empty.Get("x") != nil || empty.Remove("x") {
		t.Error("an empty collection has something")
	}
	empty.Put(user(1))
	if empty.Len() != 1 || !empty.changed() {
		t.Error("nothing was put")
	}
}

// TestOnlyWhatChangedIsWritten: a generation names the parts of the one before where nothing changed in them.
func TestOnlyWhatChangedIsWritten(t *testing.T) {
	m := newMemory()
	save(t, m, sample(3*perShard))
	if m.puts != 3+1+1+1+1 {
		t.Errorf("%d objects for 3 shards of users, a group, a contact, mailboxes and the manifest", m.puts)
	}
	for n := range 5 {
		d := load(t, m)
		changed := *d.Users.Get(idOf(7))
		changed.Name = "Name " + strings.Repeat("x", n)
		d.Users.Put(&changed)
		d.Mailboxes.Set(idOf(1), directory.SharedMailbox)
		d.Mailboxes.Set(idOf(5), directory.User)
		m.puts = 0
		save(t, m, d)
		if m.puts != 2 {
			t.Errorf("%d objects for one changed user", m.puts)
		}
		if got := load(t, m).Users.Get(idOf(7)).Name; got != changed.Name {
			t.Errorf("name %q", got)
		}
		// Two generations: two manifests, the parts of the present one, and the one part in which they differ.
		if len(m.objects) != 2+6+1 {
			t.Errorf("%d objects stay", len(m.objects))
		}
	}
	d := load(t, m)
	d.Mailboxes.Set(idOf(1), directory.User)
	d.Mailboxes.Set(idOf(9), directory.Equipment)
	if !d.Changed() {
		t.Error("a changed mailbox is no change")
	}
	save(t, m, d)
	if got := load(t, m).Mailboxes.Kinds; len(got) != 2 || got[idOf(9)] != directory.Equipment {
		t.Errorf("%v", got)
	}
}

// TestUnusable: whatever is wrong with what is kept, it is an error that says so, and never a directory. The twin without
// the damage loads.
func TestUnusable(t *testing.T) {
	broken := errors.New("broken")
	manifest := func(m *memory) string { names, _ := m.List(t.Context()); n, _ := newest(names); return n }
	somePart := func(m *memory) string {
		for name := range m.objects {
			if _, part, ok := parseName(name); ok && part {
				return name
			}
		}
		return ""
	}
	for name, row := range map[string]struct {
		spoil func(m *memory, c *Cache)
		want  error
	}{
		"nothing":         {func(*memory, *Cache) {}, nil},
		"another tenant":  {func(_ *memory, c *Cache) { c.Identity.Tenant = "other" }, ErrForeign},
		"another service": {func(_ *memory, c *Cache) { c.Identity.Root = "https://graph.microsoft.us/v1.0" }, ErrForeign},
		"another world":   {func(_ *memory, c *Cache) { c.Identity.Realm = "quickstart" }, ErrForeign},
		"other fields":    {func(_ *memory, c *Cache) { c.Identity.Fields = "cd" }, ErrForeign},
		"unlistable":      {func(m *memory, _ *Cache) { m.fail = func(op, _ string) error { return pick(op == "list", broken) } }, broken},
		"manifest unreadable": {func(m *memory, _ *Cache) {
			n := manifest(m)
			m.fail = func(_, name string) error { return pick(name == n, broken) }
		}, broken},
		"manifest cut":          {func(m *memory, _ *Cache) { n := manifest(m); m.objects[n] = m.objects[n][:50] }, ErrDamaged},
		"manifest empty":        {func(m *memory, _ *Cache) { m.objects[manifest(m)] = nil }, ErrDamaged},
		"manifest of a newer":   {func(m *memory, _ *Cache) { m.objects[manifest(m)] = []byte(`{"format":3}`) }, ErrFormat},
		"manifest of an older":  {func(m *memory, _ *Cache) { m.objects[manifest(m)] = []byte(`{"format":1}`) }, ErrFormat},
		"manifest with more":    {func(m *memory, _ *Cache) { n := manifest(m); m.objects[n] = append(m.objects[n], '1') }, ErrDamaged},
		"manifest renamed":      {func(m *memory, _ *Cache) { m.objects["directory-0000000009-0123456789abcdef"] = m.objects[manifest(m)] }, ErrDamaged},
		"a part is missing":     {func(m *memory, _ *Cache) { delete(m.objects, somePart(m)) }, errAny},
		"a part is cut":         {func(m *memory, _ *Cache) { p := somePart(m); m.objects[p] = m.objects[p][1:] }, ErrDamaged},
		"a part is another one": {func(m *memory, _ *Cache) { m.objects[somePart(m)] = []byte("another") }, ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			save(t, m, sample(10))
			c := of(m)
			row.spoil(m, c)
			d, err := c.Load(t.Context())
			if row.want == nil {
				if err != nil || d == nil {
					t.Fatalf("%v, %v", d, err)
				}
				return
			}
			if strings.Contains(fmt.Sprint(err), "newer") != (name == "manifest of a newer") {
				t.Errorf("%v", err)
			}
			if d != nil || err == nil || row.want != errAny && !errors.Is(err, row.want) {
				t.Errorf("%v, %v", d, err)
			}
			// What is read anew then gets a place of its own, after which all is well.
			m.fail = nil
			if err := c.Begin(t.Context(), sample(3)).Finish(t.Context()); err != nil {
				t.Fatal(err)
			}
			again := of(m)
			again.Identity = c.Identity
			if name == "manifest renamed" {
				return // it is newer than whatever is written
			}
			for _, other := range []string{"another tenant", "another service", "another world", "other fields"} {
				if name == other {
					return // the sample is of the first identity
				}
			}
			if d, err := again.Load(t.Context()); err != nil || d == nil || d.Users.Len() != 3 {
				t.Errorf("after a full read: %v, %v", d, err)
			}
		})
	}
}

var errAny = errors.New("any")

func pick(yes bool, err error) error {
	if yes {
		return err
	}
	return nil
}

// TestUnwritable: a generation that could not be written to its end does not exist, and the one before is what counts.
func TestUnwritable(t *testing.T) {
	broken := errors.New("broken")
	for name, fail := range map[string]func(op, name string) error{
		"parts":    func(op, name string) error { return pick(op == "put" && strings.Count(name, "-") == 3, broken) },
		"manifest": func(op, name string) error { return pick(op == "put" && strings.Count(name, "-") == 2, broken) },
		"no place": func(op, _ string) error { return pick(op == "put", ErrNoShelf) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			save(t, m, sample(10))
			before := load(t, m)
			c := of(m)
			d, err := c.Load(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			d.Users.Remove(idOf(1))
			m.fail = fail
			if err := c.Begin(t.Context(), d).Finish(t.Context()); err == nil {
				t.Error("no error")
			}
			m.fail = nil
			if now := load(t, m); now.Name != before.Name || now.Digest != before.Digest || now.Users.Len() != 10 {
				t.Errorf("%s with %d users", now.Name, now.Users.Len())
			}
		})
	}
	m := newMemory()
	m.fail = func(string, string) error { return ErrNoShelf }
	if d, err := of(m).Load(t.Context()); d != nil || err != nil {
		t.Errorf("without a place: %v, %v", d, err)
	}
}

// TestCollect: what the newest two name stays, what a run that died left goes with time.
func TestCollect(t *testing.T) {
	m := newMemory()
	for n := 1; n <= 4; n++ {
		save(t, m, sample(n))
	}
	old := "directory-0000000001-00000000000000ff"
	m.objects[old+"-0001"], m.objects[old+"-0002"] = []byte("x"), []byte("y")
	before := len(m.objects)
	if n, err := Collect(t.Context(), m, true); err != nil || n != 2 || len(m.objects) != before {
		t.Errorf("dry: %d, %v, %d of %d left", n, err, len(m.objects), before)
	}
	if n, err := Collect(t.Context(), m, false); err != nil || n != 2 || len(m.objects) != before-2 {
		t.Errorf("%d, %v", n, err)
	}
	if d := load(t, m); d.Users.Len() != 4 {
		t.Errorf("%d users", d.Users.Len())
	}
}

func TestGUID(t *testing.T) {
	for s, want := range map[string]bool{
		idOf(1): true, strings.ToUpper(idOf(0xabc)): false, "": false, idOf(1)[1:]: false, idOf(1) + "0": false,
		strings.Replace(idOf(1), "-", "0", 1): false, "exchange:" + idOf(1): false, strings.Replace(idOf(1), "0b", "-b", 1): false,
	} {
		b, ok := guid(s)
		if ok != want || ok && spell(b) != s {
			t.Errorf("%q: %v %q", s, ok, spell(b))
		}
	}
}

// FuzzRecords: bytes are refused, or are exactly what would be written for what they say.
func FuzzRecords(f *testing.F) {
	for _, d := range []*Directory{sample(3)} {
		for _, c := range []*Collection{d.Users, d.Groups, d.Contacts} {
			var raw []byte
			for e := range c.All() {
				var err error
				if raw, err = appendEntry(raw, e); err != nil {
					f.Fatal(err)
				}
			}
			f.Add(raw)
		}
	}
	odd := user(1)
	odd.ObjectID, odd.Members, odd.Created = "exchange:x", []string{"a", idOf(1)}, time.Time{}
	raw, err := appendEntry(nil, odd)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var again []byte
		for rest := raw; len(rest) > 0; {
			e, next, err := cutEntry(rest)
			if err != nil {
				return
			}
			rest = next
			if again, err = appendEntry(again, e); err != nil {
				t.Fatalf("%+v: %v", e, err)
			}
		}
		if string(again) != string(raw) {
			t.Errorf("%x is read as what is written %x", raw, again)
		}
	})
}

// FuzzManifest: bytes are refused, or read to what is written again and read the same.
func FuzzManifest(f *testing.F) {
	m := newMemory()
	save(f, m, sample(3))
	names, err := m.List(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	name, _ := newest(names)
	f.Add(m.objects[name])
	f.Add([]byte(`{"format":2,"collections":[{"name":"users","parts":[{"name":"x"}]}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := decodeManifest(raw)
		if err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrFormat) {
				t.Errorf("unsorted error %v", err)
			}
			return
		}
		body, err := encodeManifest(m)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := decodeManifest(body); err != nil || !reflect.DeepEqual(m, again) {
			t.Errorf("%s: %v", body, err)
		}
	})
}
