package state

import (
	"reflect"
	"testing"
)

// TestHostedTravels: what the vendor's sync is expected to do survives storing, a note in the journal, and a renamed policy.
func TestHostedTravels(t *testing.T) {
	want := sampleHosted()
	if got := storeHosted(want).load(); !reflect.DeepEqual(got, want) {
		t.Errorf("stored and loaded: %+v", got)
	}
	note, err := storeNote(&Note{Hosted: want})
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := note.load()
	if err != nil {
		t.Fatal(err)
	}
	s := &State{Objects: map[string]*Object{"sync_policy.people": {Address: "sync_policy.people"}}}
	if err := s.Apply(Entry{Note: loaded}); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(s.Hosted, want) {
		t.Errorf("after the note: %+v", s.Hosted)
	}
	stored, err := storeState(s)
	if err != nil {
		t.Fatal(err)
	}
	again := &State{}
	if err := stored.load(again); err != nil || !reflect.DeepEqual(again.Hosted, want) {
		t.Errorf("a whole state: %+v, %v", again.Hosted, err)
	}
	if err := s.Apply(Entry{Note: &Note{Moved: []Rename{{From: "sync_policy.people", To: "sync_policy.all"}}}}); err != nil {
		t.Fatal(err)
	}
	if s.Hosted.Policy != "sync_policy.all" || want.Policy != "sync_policy.people" {
		t.Errorf("renamed: %q, and the shared one %q", s.Hosted.Policy, want.Policy)
	}
	if s.Clone().Hosted != s.Hosted {
		t.Error("a clone forgets it")
	}
}
