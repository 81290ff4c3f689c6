package directory

import (
	"slices"
	"strings"
)

// Merge completes a reading of Entra with what Exchange knows: the kind of each mailbox, by object id, and the dynamic
// distribution groups, which Entra does not have. It changes reading in place, sorted as Reading says.
//
// Proof gets a part for the mailboxes; whether the reading of the directory is complete does not depend on it.
//
// err says that Exchange could not be read: then kinds and dynamic are not used, KindsErr is set, and a user entry that
// might as well be a shared or room mailbox, because its sign-in is blocked or it has no licence, becomes UnknownKind. An
// entry that kinds does not name has no mailbox and keeps its kind, as does a guest whose mailbox is an ordinary one.
func Merge(reading *Reading, kinds map[string]Kind, dynamic []*Entry, err error) {
	if reading == nil {
		return
	}
	proof := Proof{Source: "mailboxes", Complete: err == nil, Objects: len(kinds), Count: -1, At: reading.Proof.At}
	if err != nil {
		proof.Objects, proof.Problem = 0, err.Error()
	}
	reading.Proof.Parts = append(reading.Proof.Parts, proof)
	if err != nil {
		reading.KindsErr = err
		for _, e := range reading.Entries {
			if e.Kind == User && (!e.Enabled || !e.Licensed) {
				e.Kind = UnknownKind
			}
		}
		return
	}
	for _, e := range reading.Entries {
		kind, ok := kinds[strings.ToLower(e.ObjectID)]
		if !ok || e.Kind.IsGroup() || e.Kind == Contact || e.Kind == Guest && kind == User {
			continue
		}
		e.Kind = kind
	}
	reading.Entries = append(reading.Entries, dynamic...)
	reading.Groups = append(reading.Groups, dynamic...)
	Sort(reading.Entries)
	Sort(reading.Groups)
}

// Sort orders entries by Address, then ObjectID; entries without address come first.
func Sort(entries []*Entry) {
	slices.SortFunc(entries, func(a, b *Entry) int {
		if c := strings.Compare(a.Address, b.Address); c != 0 {
			return c
		}
		return strings.Compare(a.ObjectID, b.ObjectID)
	})
}
