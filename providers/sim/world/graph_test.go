package world

import (
	"testing"
	"time"
)

func TestTrail(t *testing.T) {
	w := &World{}
	var changed uint64
	var trail *Trail
	touched := func(name string, since uint64, want bool) {
		t.Helper()
		if got := trail.Touched(name, since, changed); got != want {
			t.Errorf("Touched(%q, %d) is %v, want %v (changed %d, trail %+v)", name, since, got, want, changed, trail)
		}
	}
	touched("mail", 0, false) // never changed
	w.Mark(&changed, &trail, "mail")
	touched("mail", 0, true)
	touched("name", 0, false)
	touched("mail", 1, false)
	// Somebody changes the object without saying what: everything since may have changed, until the next look.
	changed = w.Touch()
	touched("name", 1, true)
	touched("name", 2, false)
	w.Mark(&changed, &trail, "mail")
	touched("name", 1, true) // the unsaid change still counts
	touched("name", 2, false)
	touched("mail", 2, true)
	w.Mark(&changed, &trail)
	touched("name", 3, true)
}

func TestDeleteAndRestore(t *testing.T) {
	tn := &Tenant{ID: "t"}
	w := &World{ID: "test", Tenants: []*Tenant{tn}, Clock: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)}
	w.Reindex()
	p := &DirectoryUser{UserPrincipalName: "a@x.example"}
	w.AddPerson(tn, p)
	g := &Group{DisplayName: "g"}
	w.AddGroup(tn, g)
	app := &Application{ID: "app", AppID: "client", DisplayName: "app"}
	tn.AddApplication(app)
	sp := &ServicePrincipal{ID: "sp", AppID: "client"}
	tn.AddServicePrincipal(sp)
	if !w.AddMember(g, p.ID) || w.AddMember(g, p.ID) {
		t.Error("a member is added once")
	}

	w.DeletePerson(tn, p, false)
	if len(g.Members) != 0 || g.RemovedMembers[p.ID] == 0 {
		t.Errorf("members %v, removed %v", g.Members, g.RemovedMembers)
	}
	w.DeleteGroup(tn, g, false)
	w.DeleteApplication(tn, app)
	if tn.ServicePrincipal("sp") != nil {
		t.Error("the service principal outlived its application")
	}
	w.AddPerson(tn, &DirectoryUser{UserPrincipalName: "A@x.example"})
	if err := w.Restore(tn, w.DeletedItem(tn, p.ID)); err == nil {
		t.Error("restored onto a taken name")
	}
	for _, id := range []string{g.ID, "app", "sp"} {
		if err := w.Restore(tn, w.DeletedItem(tn, id)); err != nil {
			t.Error(err)
		}
		if w.DeletedItem(tn, id) != nil {
			t.Errorf("%s is still among the deleted", id)
		}
	}
	if tn.Group(g.ID) == nil || tn.Application("app") == nil || tn.ServicePrincipalByAppID("client") == nil {
		t.Error("not all came back")
	}
	w.DeleteServicePrincipal(tn, tn.ServicePrincipal("sp"))
	d := w.DeletedItem(tn, "sp")
	if _, err := w.Advance(30*24*time.Hour + time.Second); err != nil {
		t.Fatal(err)
	}
	if w.DeletedItem(tn, "sp") != nil {
		t.Error("restorable after thirty days")
	}
	w.Purge(d)
	if err := w.Restore(tn, d); err == nil {
		t.Error("restored what was purged")
	}
}
