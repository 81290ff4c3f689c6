package essentials

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/internal/jsonstream"
	"github.com/weir-project/weir/providers/resource"
)

var exemptionTable = []resource.Attribute{
	{Name: "addresses", Type: cty.Set(cty.String), Optional: true, Local: true, Normalize: resource.FoldedSet, Description: "Addresses to exempt."},
	{Name: "patterns", Type: cty.Set(cty.String), Optional: true, Local: true, Normalize: resource.FoldedSet,
		Description: "Addresses to exempt, with * for any characters and ? for one: svc-*@contoso.com. At most 100."},
	{Name: "groups", Type: cty.Set(cty.String), Optional: true, Local: true, Description: "Names or addresses of directory groups whose members are exempt; each must match exactly one group."},
	{Name: "when", Type: directory.PredicateType, Optional: true, Local: true, Description: "Predicate over entry: the directory entries that are exempt."},
	{Name: "as", Type: cty.String, Optional: true, Local: true, Default: cty.StringVal("unchanged"), Enum: []string{"unchanged", "functional_account"},
		Description: "Leave the accounts as they are, or make functional accounts of them (R39, R40)."},
	{Name: "reason", Type: cty.String, Required: true, Local: true, Description: "Why the addresses are exempt, for whoever reads it in a year."},
	{Name: "owner", Type: cty.String, Optional: true, Local: true, Description: "Who answers for it."},
	{Name: "expires", Type: cty.String, Optional: true, Local: true, Pattern: isoDate, PatternHelp: "a date such as 2027-06-30",
		Description: "Until when it is meant to stand. It goes on protecting after that, and is reported."},
	{Name: "ownership", Type: cty.String, Optional: true, Local: true, Default: cty.StringVal("additive"), Enum: []string{"additive", "observe", "exclusive"},
		Description: "Whether the addresses are added to what others exempt, only watched, or the only ones."},
	{Name: "protects", Type: cty.Set(cty.String), Computed: true, Normalize: resource.FoldedSet, Label: "Exempt",
		Description: "The addresses that it stands for now.", Source: vendorAPI + "; the list itself: seen in clients"},
}

// exemptionsID is the id of the one list that all blocks claim parts of.
const exemptionsID = resource.ObjectID("exemptions")

// exemptionType is a part of the organization's list of addresses that the hosted sync leaves alone. PUT adds to the
// list and DELETE removes one address; the DELETE that empties the list is never called.
func exemptionType() *resource.Type {
	return &resource.Type{
		Name: "exemption", Provider: "essentials", Attributes: exemptionTable, After: []string{"tenant", "domain", "sync_policy"},
		Purpose:   "Addresses that directory sync must leave alone, with reason, owner and end date.",
		Adoption:  "address by address: what the block stands for and somebody exempted before is the block's part of the one list",
		Serial:    true, // they share one list
		Project:   projectExemption,
		Customize: customizeExemption, FromDirectory: true,
		List: func(ctx context.Context, conn *resource.Conn) ([]resource.Live, error) {
			c, org, err := clientOf(conn)
			if err != nil {
				return nil, err
			}
			all, err := c.exemptions(ctx, org)
			if errors.Is(err, errNoOrganization) {
				return nil, nil
			}
			if err != nil {
				return nil, err
			}
			return []resource.Live{exemptionLive(all)}, nil
		},
		Read: func(ctx context.Context, conn *resource.Conn, _ resource.ObjectID) (resource.Live, error) {
			c, org, err := clientOf(conn)
			if err != nil {
				return resource.Live{}, err
			}
			all, err := c.exemptions(ctx, org)
			if err != nil {
				return resource.Live{}, err
			}
			return exemptionLive(all), nil
		},
		Create: writeExemption,
		Update: writeExemption,
		Delete: deleteExemption,
	}
}

func exemptionLive(all []string) resource.Live {
	v := resource.Null(exemptionTable)
	v["protects"] = resource.StringSet(all)
	return resource.Live{ID: exemptionsID, Name: "sync exemptions", Value: cty.ObjectVal(v)}
}

// exemptions reads GET /orgs/{d}/settings/azure/exemptions: a bare list of objects with email (seen in clients), or of
// strings (inferred). An empty list is an answer like any other. 404 means that no sync is configured (inferred), and so
// nothing is exempt, as long as the organization exists.
func (c *Client) exemptions(ctx context.Context, org string) ([]string, error) {
	var all []string
	q := orgCall("list exemptions", http.MethodGet, org, "settings", "azure", "exemptions").about("exemptions of " + org)
	err := c.read(ctx, q, func(r io.Reader) error {
		return decodeList(r, "exemptions", func(r *jsonstream.Reader) error {
			raw, err := r.Raw()
			if err != nil {
				return err
			}
			var address flexString
			if json.Unmarshal(raw, &address) != nil {
				var o struct {
					Email flexString `json:"email"` // seen in clients
				}
				if err := json.Unmarshal(raw, &o); err != nil {
					return err
				}
				address = o.Email
			}
			if !strings.Contains(string(address), "@") {
				return fmt.Errorf("an exemption without address: %s", clip(string(raw)))
			}
			all = append(all, string(address))
			return nil
		})
	})
	if err != nil {
		if errors.Is(err, resource.ErrAbsent) && !errors.Is(err, errNoOrganization) {
			return []string{}, nil
		}
		return nil, err
	}
	return foldedSorted(all), nil
}

// claimed are the addresses that a block stands for, or stood for when it was last applied.
func claimed(planned, prior cty.Value) map[string]bool {
	out := map[string]bool{}
	for _, v := range []cty.Value{resource.Bare(planned), resource.Bare(prior)} {
		all, _ := resource.Words(v, "protects")
		for _, address := range all {
			out[folded(address)] = true
		}
	}
	return out
}

// projectExemption cuts the block's addresses out of the list. An exclusive block claims all of it.
func projectExemption(collection resource.Live, planned, prior cty.Value) (resource.Live, bool) {
	all, _ := resource.Words(resource.Bare(collection.Value), "protects")
	claims := claimed(planned, prior)
	exclusive := resource.Text(resource.Bare(planned), "ownership") == "exclusive"
	var part []string
	for _, address := range all {
		if exclusive || claims[folded(address)] {
			part = append(part, address)
		}
	}
	live := collection
	v := resource.Null(exemptionTable)
	v["protects"] = resource.StringSet(part)
	live.Value = cty.ObjectVal(v)
	// A block that stands for nobody, such as one about an empty group, exists by being in state.
	return live, len(part) > 0 || len(claims) == 0 && !resource.Bare(prior).IsNull()
}

// writeExemption adds what is missing and removes what the block stood for before and no longer does.
func writeExemption(ctx context.Context, conn *resource.Conn, change *resource.Change) (resource.Live, error) {
	c, org, err := clientOf(conn)
	if err != nil {
		return resource.Live{}, err
	}
	have, err := c.exemptions(ctx, org)
	if err != nil {
		return resource.Live{}, err
	}
	wanted, _ := resource.Words(change.Planned, "protects")
	wanted = foldedSorted(wanted)
	present, want := toSet(have), toSet(wanted)
	var missing []string
	for _, address := range wanted {
		if !present[address] {
			missing = append(missing, address)
		}
	}
	// Additions first: at no moment is somebody unprotected who should be.
	if err := c.protect(ctx, org, have, missing); err != nil {
		return resource.Live{}, err
	}
	was, _ := resource.Words(resource.Bare(change.Prior), "protects")
	for _, address := range foldedSorted(was) {
		if present[address] && !want[address] {
			if err := c.deleteExemption(ctx, org, address); err != nil {
				return resource.Live{}, err
			}
		}
	}
	after, err := c.exemptions(ctx, org)
	if err != nil {
		return resource.Live{}, err
	}
	now := toSet(after)
	for _, address := range wanted {
		if !now[address] {
			return resource.Live{}, &resource.Error{Op: "add exemptions", Subject: address, Attribute: "protects", Kind: resource.ErrUnavailable,
				Detail: "the vendor accepted the address, but does not list it"}
		}
	}
	part, _ := projectExemption(exemptionLive(after), change.Planned, cty.NullVal(resource.ObjectType(exemptionTable)))
	return part, nil
}

// protect adds missing addresses to the list, and looks whether those that were on it are still there: should PUT replace the
// list, contrary to what the vendor says of it, whoever was exempt would be turned into a user again by its next sync
// (R40). What was lost is put back at once; an error says that the list is not whole.
func (c *Client) protect(ctx context.Context, org string, have, missing []string) error {
	if len(missing) == 0 {
		return nil
	}
	whole := foldedSorted(slices.Concat(have, missing))
	add := missing
	for again := false; ; again = true {
		if err := c.addExemptions(ctx, org, add); err != nil {
			return err
		}
		after, err := c.exemptions(ctx, org)
		if err != nil {
			return err
		}
		on := toSet(after)
		lost := slices.DeleteFunc(slices.Clone(whole), func(a string) bool { return on[a] })
		switch {
		case len(lost) == 0:
			return nil
		case again || !slices.ContainsFunc(lost, toSetOf(have)):
			return &resource.Error{Op: "add exemptions", Subject: someOf(lost), Attribute: "protects", Kind: resource.ErrUnavailable,
				Detail: "the vendor accepted the addresses, but does not list them; its next sync may delete what they protect"}
		}
		add = whole
	}
}

// addExemptions sends a list of strings (inferred: the vendor speaks of "a list of comma-separated e-mails"), and as an
// object if the list is refused. It adds, so that it may be repeated.
func (c *Client) addExemptions(ctx context.Context, org string, addresses []string) error {
	q := func(body any) *call {
		return orgCall("add exemptions", http.MethodPut, org, "settings", "azure", "exemptions").about(strings.Join(addresses, ", ")).with(body)
	}
	err := c.do(ctx, q(addresses))
	if !errors.Is(err, resource.ErrInvalid) {
		return err
	}
	if again := c.do(ctx, q(map[string]any{"exemptions": addresses})); !errors.Is(again, resource.ErrInvalid) {
		return again
	}
	return err
}

// deleteExemption removes one address; one that is not exempt is success.
func (c *Client) deleteExemption(ctx context.Context, org, address string) error {
	if !strings.Contains(address, "@") {
		// An empty last segment would address the whole list.
		return &resource.Error{Op: "delete exemption", Subject: address, Kind: resource.ErrInvalid, Detail: "no address"}
	}
	err := c.do(ctx, orgCall("delete exemption", http.MethodDelete, org, "settings", "azure", "exemptions", address).about(address))
	if errors.Is(err, resource.ErrAbsent) {
		return nil
	}
	return err
}

func deleteExemption(ctx context.Context, conn *resource.Conn, change *resource.Change) error {
	c, org, err := clientOf(conn)
	if err != nil {
		return err
	}
	was, _ := resource.Words(resource.Bare(change.Prior), "protects")
	if len(was) == 0 {
		return nil
	}
	have, err := c.exemptions(ctx, org)
	if errors.Is(err, errNoOrganization) {
		return nil
	}
	if err != nil {
		return err
	}
	present := toSet(have)
	for _, address := range foldedSorted(was) {
		if !present[address] {
			continue
		}
		if err := c.deleteExemption(ctx, org, address); err != nil {
			return err
		}
	}
	return nil
}

// toSetOf tells membership in a list.
func toSetOf(all []string) func(string) bool {
	set := toSet(all)
	return func(s string) bool { return set[s] }
}

func toSet(all []string) map[string]bool {
	out := make(map[string]bool, len(all))
	for _, s := range all {
		out[s] = true
	}
	return out
}

// customizeExemption finds the addresses that the block stands for. It fails safe: what cannot be found out, or has
// shrunk suddenly, keeps its last members.
func customizeExemption(req *resource.PlanRequest) error {
	planned, prior := resource.Bare(req.Planned), resource.Bare(req.Prior)
	addresses, hasAddresses := resource.Words(planned, "addresses")
	globs, hasPatterns := resource.Words(planned, "patterns")
	groups, hasGroups := resource.Words(planned, "groups")
	when := directory.PredicateOf(resource.Get(planned, "when"))
	subject := resource.Text(planned, "reason")
	for _, path := range []string{"addresses", "patterns", "groups", "when"} {
		if !resource.Get(planned, path).IsWhollyKnown() {
			req.Planned = resource.With(req.Planned, "protects", cty.UnknownVal(cty.Set(cty.String)))
			return nil
		}
	}
	if !hasAddresses && !hasPatterns && !hasGroups && when == nil {
		return &resource.Error{Op: "plan exemption", Subject: subject, Attribute: "addresses", Kind: resource.ErrInvalid,
			Detail: "the exemption names nobody", Hint: "Write addresses, patterns, groups or when"}
	}
	for _, a := range addresses {
		if !emailAddress.MatchString(strings.TrimSpace(a)) {
			return &resource.Error{Op: "plan exemption", Subject: subject, Attribute: "addresses", Kind: resource.ErrInvalid,
				Detail: fmt.Sprintf("%q is not %s", clip(a), emailHelp)}
		}
	}
	patterns, err := parsePatterns(globs)
	if err != nil {
		return &resource.Error{Op: "plan exemption", Subject: subject, Attribute: "patterns", Kind: resource.ErrInvalid, Detail: err.Error()}
	}
	found, doubts := fromDirectory(req.Directory, groups, when, patterns)
	all := append(addresses, found...)
	last, _ := resource.Words(prior, "protects")
	named, _ := resource.Words(prior, "addresses")
	if len(doubts) == 0 && (len(groups) > 0 || when != nil || len(patterns) > 0) && shrunk(last, named, all) {
		doubts = append(doubts, fmt.Sprintf("the groups, patterns or the predicate stand for %d addresses, last time for %d", len(found), len(last)))
	}
	for _, doubt := range doubts {
		req.Waits = append(req.Waits, doubt+"; the exemption goes on protecting whom it protected")
	}
	if len(doubts) > 0 {
		all = append(all, last...)
	}
	switch resource.Text(planned, "ownership") {
	case "observe":
		// What is only watched is planned as it is.
		req.Planned = resource.With(req.Planned, "protects", observed(req.Live))
		req.Notes = append(req.Notes, watched(req.Live, all)...)
		return nil
	case "exclusive":
		// What Weir itself put on the list for accounts that it made functional stays there (R40).
		live, _ := resource.Words(resource.Bare(req.Live), "protects")
		on := toSet(foldedSorted(live))
		for _, a := range req.Keep {
			if on[a] {
				all = append(all, a)
			}
		}
	}
	if expires := resource.Text(planned, "expires"); expires != "" && expires < req.Now.UTC().Format("2006-01-02") {
		req.Waits = append(req.Waits, fmt.Sprintf("the exemption ended on %s; it goes on protecting until its block is changed or removed", expires))
	}
	req.Planned = resource.With(req.Planned, "protects", resource.StringSet(foldedSorted(all)))
	return nil
}

// watched says how the vendor's list and a block that only watches it differ.
func watched(live cty.Value, named []string) []string {
	list, _ := resource.Words(resource.Bare(live), "protects")
	have, want := toSet(foldedSorted(list)), toSet(foldedSorted(named))
	var more, less []string
	for _, a := range foldedSorted(list) {
		if !want[a] {
			more = append(more, a)
		}
	}
	for _, a := range foldedSorted(named) {
		if !have[a] {
			less = append(less, a)
		}
	}
	var out []string
	if len(more) > 0 {
		out = append(out, fmt.Sprintf("the vendor's list exempts %s, which the block does not name; ownership = \"observe\" leaves that", someOf(more)))
	}
	if len(less) > 0 {
		out = append(out, fmt.Sprintf("the vendor's list does not exempt %s; ownership = \"observe\" does not add it", someOf(less)))
	}
	return out
}

// someOf names at most ten.
func someOf(list []string) string {
	if len(list) <= 10 {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:10], ", "), len(list)-10)
}

func observed(live cty.Value) cty.Value {
	v := resource.Get(resource.Bare(live), "protects")
	if v.IsNull() {
		return cty.NullVal(cty.Set(cty.String))
	}
	return v
}

// maxPatterns is how many patterns one exemption may have: every address of the directory is tried on each.
const maxPatterns = 100

func parsePatterns(all []string) ([]directory.Pattern, error) {
	if len(all) > maxPatterns {
		return nil, fmt.Errorf("an exemption has at most %d patterns, and this one has %d", maxPatterns, len(all))
	}
	var out []directory.Pattern
	for _, s := range all {
		p, err := directory.ParsePattern(s)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// fromDirectory asks who belongs to groups, predicate and patterns, and says what could not be found out.
func fromDirectory(facts resource.DirectoryFacts, groups []string, when directory.Predicate, patterns []directory.Pattern) (found, doubts []string) {
	if len(groups) == 0 && when == nil && len(patterns) == 0 {
		return nil, nil
	}
	if facts == nil {
		return nil, []string{"the directory could not be read"}
	}
	for _, g := range groups {
		members, err := facts.GroupMembers(g)
		if err != nil {
			doubts = append(doubts, fmt.Sprintf("group %q: %v", clip(g), err))
			continue
		}
		found = append(found, members...)
	}
	if when != nil {
		matching, err := facts.Matching(func(entry any) (bool, error) {
			e, ok := entry.(*directory.Entry)
			if !ok {
				return false, fmt.Errorf("the directory holds a %T", entry)
			}
			return when.Match(e)
		})
		if err != nil {
			doubts = append(doubts, fmt.Sprintf("predicate %s: %v", clip(when.Text()), err))
		}
		found = append(found, matching...)
	}
	if len(patterns) > 0 {
		matching, err := facts.Matching(func(entry any) (bool, error) {
			e, ok := entry.(*directory.Entry)
			if !ok {
				return false, fmt.Errorf("the directory holds a %T", entry)
			}
			for _, p := range patterns {
				if p.Match(e.Address) || p.Match(e.UPN) || slices.ContainsFunc(e.Aliases, p.Match) {
					return true, nil
				}
			}
			return false, nil
		})
		if err != nil {
			doubts = append(doubts, fmt.Sprintf("patterns: %v", err))
		}
		found = append(found, matching...)
	}
	return found, doubts
}

// shrunk tells whether more than half of those whom groups and predicate stood for last, and at least three, are gone.
// Those named by address are not counted: taking an address out of the file is no accident of the directory.
func shrunk(last, named, now []string) bool {
	byName, still := toSet(foldedSorted(named)), toSet(foldedSorted(now))
	before, lost := 0, 0
	for _, address := range foldedSorted(last) {
		if byName[address] {
			continue
		}
		before++
		if !still[address] {
			lost++
		}
	}
	return lost >= 3 && 2*lost > before
}
