package exchange

import (
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/directory/cache"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/sim/world"
)

// convert makes a mailbox of another kind, now.
func convert(w *world.World, tenant *world.Tenant, i int, kind string) {
	p := tenant.Person(personID(i))
	changed := *p
	changed.MailboxKind = kind
	w.ReplacePerson(tenant, p, changed)
}

// TestMailboxes: after a full read one filtered request tells what changed, however many mailboxes there are, and the
// result is what a full read gives. The switches show what happens where the filter is not what it is taken for.
func TestMailboxes(t *testing.T) {
	for name, row := range map[string]struct {
		switches func(*world.Switches)
		requests int // of the second read
		stale    bool
		note     bool
	}{
		"as documented": {func(*world.Switches) {}, 1, false, false},
		"ignored":       {func(s *world.Switches) { s.MailboxFilterIgnored = true }, 3, false, false},
		"refused":       {func(s *world.Switches) { s.MailboxFilterRefused = true }, 1 + 3 + 1, false, true},
		"unmarked":      {func(s *world.Switches) { s.MailboxChangesUnmarked = true }, 1, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			var tenant *world.Tenant
			s := newService(t, crowd(2105), func(w *world.World, tn *world.Tenant) {
				tenant = tn
				for _, p := range tn.People {
					p.Created = start.AddDate(-1, 0, 0)
				}
			})
			row.switches(&s.world.Switches)
			first, note, err := s.client.Mailboxes(t.Context(), nil)
			if err != nil || note != "" || first.Total != 2105 || len(first.Kinds) != 211+1 || first.Until != s.world.Now().Truncate(time.Second) {
				t.Fatalf("%v %q %+v", err, note, first)
			}
			s.sent = nil
			again, note, err := s.client.Mailboxes(t.Context(), first)
			if err != nil || (note != "") != row.note || len(s.sent) != row.requests {
				t.Fatalf("nothing changed: %v %q, %d requests", err, note, len(s.sent))
			}
			if _, err := s.world.Advance(3 * time.Hour); err != nil {
				t.Fatal(err)
			}
			s.world.Lock()
			convert(s.world, tenant, 1, "SharedMailbox")
			convert(s.world, tenant, 10, "UserMailbox")
			convert(s.world, tenant, 20, "RoomMailbox")
			s.world.Unlock()
			again, _, err = s.client.Mailboxes(t.Context(), again)
			if err != nil {
				t.Fatal(err)
			}
			full, _, err := s.client.Mailboxes(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if same := reflect.DeepEqual(again.Kinds, full.Kinds); same == row.stale {
				t.Errorf("as a full read tells it: %v", same)
			}
			// Asked for directly, each tells what it is.
			if row.note || name == "ignored" {
				return
			}
			for i, want := range map[int]directory.Kind{1: directory.SharedMailbox, 10: directory.User, 20: directory.Room} {
				if kind, err := s.client.MailboxKind(t.Context(), personID(i)); err != nil || kind != want {
					t.Errorf("mailbox %d: %s, %v", i, kind, err)
				}
			}
			if _, err := s.client.MailboxKind(t.Context(), personID(9999)); !errors.Is(err, ErrNoMailbox) {
				t.Errorf("no mailbox: %v", err)
			}
			if _, err := s.client.MailboxKind(t.Context(), "x' -or 'a' -eq 'a"); !errors.Is(err, resource.ErrInvalid) {
				t.Errorf("no id: %v", err)
			}
		})
	}
}

// TestMailboxesUnread: when changes cannot be read nothing is known, and what was known stays as it was. The twin reads.
func TestMailboxesUnread(t *testing.T) {
	s := newService(t, crowd(20))
	known := func() *cache.Mailboxes {
		return &cache.Mailboxes{Until: start.Add(-24 * time.Hour), Kinds: map[string]directory.Kind{personID(1): directory.SharedMailbox}}
	}
	before := known()
	s.intercept = func(string) *http.Response {
		return &http.Response{StatusCode: 403, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}
	}
	if found, _, err := s.client.Mailboxes(t.Context(), before); err == nil || found != nil || !reflect.DeepEqual(before, known()) {
		t.Errorf("%+v, %v", found, err)
	}
	s.intercept = nil
	if found, _, err := s.client.Mailboxes(t.Context(), before); err != nil || found != before || found.Kinds[personID(0)] != directory.SharedMailbox || found.Kinds[personID(1)] != "" {
		t.Errorf("%+v, %v", found, err)
	}
}

// TestMailboxesOfTheFuture: when the service's clock stands before the moment up to which changes are said to be in, nobody
// knows what is missing, and all are read.
func TestMailboxesOfTheFuture(t *testing.T) {
	for until, full := range map[time.Duration]bool{0: false, overlap: false, overlap + time.Second: true, 48 * time.Hour: true} {
		s := newService(t, crowd(20))
		s.world.Lock()
		tenant := s.world.Tenant(tenantID)
		for _, p := range tenant.People {
			p.Created = start.AddDate(-1, 0, 0)
		}
		convert(s.world, tenant, 1, "SharedMailbox")
		s.world.Unlock()
		known := &cache.Mailboxes{Until: start.Add(until), Kinds: map[string]directory.Kind{personID(0): directory.SharedMailbox}}
		s.sent = nil
		found, note, err := s.client.Mailboxes(t.Context(), known)
		if err != nil || (note != "") != full || (found == known) == full {
			t.Fatalf("%s: %+v %q %v", until, found, note, err)
		}
		if got := found.Kinds[personID(1)]; full && got != directory.SharedMailbox {
			t.Errorf("%s: the mailbox that changed is %q", until, got)
		}
	}
}
