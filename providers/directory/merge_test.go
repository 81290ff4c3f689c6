package directory

import (
	"errors"
	"testing"
)

func TestMerge(t *testing.T) {
	entries := func() []*Entry {
		return []*Entry{
			{ObjectID: "1", Kind: User, Address: "a@x", Enabled: true, Licensed: true},
			{ObjectID: "2", Kind: User, Address: "b@x", Enabled: false, Licensed: true},
			{ObjectID: "3", Kind: User, Address: "c@x", Enabled: true},
			{ObjectID: "4", Kind: Guest, Address: "d@x", Enabled: true},
			{ObjectID: "5", Kind: Guest, Address: "e@x", Enabled: true},
			{ObjectID: "6", Kind: DistributionGroup, Address: "f@x", Enabled: true},
			{ObjectID: "7", Kind: Contact, Address: "g@x", Enabled: true},
		}
	}
	unreadable := errors.New("exchange answered 500")
	tests := []struct {
		name  string
		kinds map[string]Kind
		err   error
		want  []Kind
	}{
		{"nothing known of mailboxes", nil, nil, []Kind{User, User, User, Guest, Guest, DistributionGroup, Contact}},
		{"kinds", map[string]Kind{"1": User, "2": SharedMailbox, "3": Room, "4": User, "5": SharedMailbox, "6": User, "7": User}, nil,
			[]Kind{User, SharedMailbox, Room, Guest, SharedMailbox, DistributionGroup, Contact}},
		{"unreadable", map[string]Kind{"2": SharedMailbox}, unreadable,
			[]Kind{User, UnknownKind, UnknownKind, Guest, Guest, DistributionGroup, Contact}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &Reading{Entries: entries()}
			Merge(r, tt.kinds, nil, tt.err)
			for i, e := range r.Entries {
				if e.Kind != tt.want[i] {
					t.Errorf("%s: %s, want %s", e.Address, e.Kind, tt.want[i])
				}
			}
			if !errors.Is(r.KindsErr, tt.err) {
				t.Errorf("KindsErr %v", r.KindsErr)
			}
		})
	}
	t.Run("dynamic lists", func(t *testing.T) {
		r := &Reading{Entries: entries()}
		list := &Entry{ObjectID: "exchange:1", Kind: DynamicDistributionGroup, Address: "aa@x", Enabled: true}
		Merge(r, nil, []*Entry{list}, nil)
		if r.Entries[1] != list || len(r.Groups) != 1 || len(r.Entries) != 8 {
			t.Errorf("entries %v, groups %v", r.Entries, r.Groups)
		}
		r = &Reading{Entries: entries()}
		Merge(r, nil, []*Entry{list}, unreadable)
		if len(r.Entries) != 7 || len(r.Groups) != 0 {
			t.Error("a failed read added entries")
		}
	})
	Merge(nil, nil, nil, nil)
}
