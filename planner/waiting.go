package planner

import (
	"fmt"
	"slices"
	"time"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
)

// Waiting is one change that the directory asks for and nothing holds, of a kind that bears a date.
type Waiting struct {
	// Address is the account's, ObjectID the directory object's.
	Address, ObjectID string
	// Since is when the directory object was made; zero for one that is gone, whose date the directory has.
	Since time.Time
}

// waiting finds the changes of which it can be told since when they wait. State has the time of a run after which nothing
// did: what is newer came up later. An entry that is older than that was there and asked for nothing then, so that its age
// says nothing; nor is there a date of a rename or a blocked sign-in.
func waiting(req *Request, r *dirsync.Result) []Waiting {
	if req.Prior == nil || req.Prior.Applied.Synced.IsZero() || req.Observed.Directory == nil {
		return nil
	}
	var out []Waiting
	added := map[string]int{}
	for i := range r.Decisions {
		d := &r.Decisions[i]
		switch {
		case d.Held != "" || d.Cause != dirsync.CauseDirectory || d.ObjectID == "":
		case d.Gone:
			out = append(out, Waiting{Address: d.Address, ObjectID: d.ObjectID})
		case d.Action == dirsync.Add:
			added[d.ObjectID] = len(out)
			out = append(out, Waiting{Address: d.Address, ObjectID: d.ObjectID})
		}
	}
	date := func(entries []*directory.Entry) {
		for _, e := range entries {
			if i, ok := added[e.ObjectID]; ok {
				out[i].Since = e.Created
				delete(added, e.ObjectID)
			}
		}
	}
	if len(added) > 0 {
		undated := map[string]bool{}
		for id := range added {
			undated[id] = true
		}
		date(req.Observed.Directory.Entries)
		date(req.Observed.Directory.Groups)
		out = slices.DeleteFunc(out, func(w Waiting) bool { return undated[w.ObjectID] && !w.Since.After(req.Prior.Applied.Synced) })
	}
	return out
}

// Overdue says that the sync is not running, when the oldest of some dated changes waits longer than the policy lets it;
// "" when none does.
func (p *Part) Overdue(dated []Waiting, now time.Time) string {
	late := 0
	var oldest Waiting
	for _, w := range dated {
		if w.Since.IsZero() || now.Sub(w.Since) <= p.MaxAge {
			continue
		}
		late++
		if oldest.Since.IsZero() || w.Since.Before(oldest.Since) {
			oldest = w
		}
	}
	if late == 0 {
		return ""
	}
	rest := ""
	if late > 1 {
		rest = fmt.Sprintf(", and %d more like it", late-1)
	}
	return fmt.Sprintf("the sync is not running: %s waits since %s UTC%s, and max_age of %s is %s. weir sync carries it out; see why it did not run", oldest.Address, oldest.Since.UTC().Format("2006-01-02 15:04"), rest, p.AccountPolicy, span(p.MaxAge))
}

// span writes a duration as people write it in a policy.
func span(d time.Duration) string {
	switch {
	case d%(24*time.Hour) == 0 && d > 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dm", d/time.Minute)
}
