package planner

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner/dirsync/hosted"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/state"
)

// Expected is what state keeps of the part's prediction, so that a later plan can tell whether the vendor's sync did what
// was said; nil when the part predicts nothing.
func (p *Part) Expected(at time.Time) *state.Hosted {
	if p.Hosted == nil || p.Hosted.Unknown != "" {
		return nil
	}
	h := &state.Hosted{Policy: p.AccountPolicy, At: at, LastRun: p.Hosted.LastRun, Fails: p.Hosted.Fails}
	var all strings.Builder
	for i := range p.Hosted.Items {
		item := &p.Hosted.Items[i]
		if !item.Acts() {
			continue
		}
		d := itemDigest(item)
		all.WriteString(d)
		if len(h.Accounts) == state.HostedAccounts {
			h.More++
			continue
		}
		h.Accounts = append(h.Accounts, state.HostedAccount{Address: item.Address, Effect: string(item.Effect), Digest: d, Doubt: !p.Hosted.Sure(item)})
	}
	h.Digest = digest(h.Fails + "\x00" + all.String())
	return h
}

// itemDigest stands for an effect and its result.
func itemDigest(i *hosted.Item) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\x00%s\x00", i.Effect, i.Address)
	if a := i.After; a != nil {
		aliases := slices.Clone(a.Aliases)
		slices.Sort(aliases)
		fmt.Fprintf(&b, "%s\x00%s\x00%t\x00%s\x00%s\x00%s", a.Address, a.Type, a.Active, a.FirstName, a.Surname, strings.Join(aliases, "\x00"))
	}
	return digest(b.String())[:32]
}

// found compares what the vendor's sync did since the last prediction with what was said. Only a run that came after the
// prediction says anything; what is still expected in the same form did not happen in it. An either-or that went the other
// way is no difference, and neither is what the directory has changed since.
func found(req *Request, policy *Change, now *hosted.Prediction) []string {
	if req.Prior == nil || req.Prior.Hosted == nil || req.Prior.Hosted.Policy != policy.Address || now.Unknown != "" {
		return nil
	}
	was := req.Prior.Hosted
	ran, err := time.Parse(time.RFC3339, text(policy.Before, "last_successful_sync"))
	if err != nil || !ran.After(was.At) {
		return nil
	}
	when := ran.UTC().Format("2006-01-02 15:04 UTC")
	var out []string
	if was.Fails != "" {
		out = append(out, fmt.Sprintf("The vendor's sync ran at %s although it was expected to fail: %s.", when, was.Fails))
	}
	pending := map[string]bool{}
	for i := range now.Items {
		if now.Items[i].Acts() {
			pending[itemDigest(&now.Items[i])] = true
		}
	}
	expected := map[string]bool{}
	for _, a := range was.Accounts {
		expected[a.Address] = true
		if !a.Doubt && pending[a.Digest] {
			out = append(out, fmt.Sprintf("The vendor's sync ran at %s and did not do what was predicted: %s %s.", when, a.Effect, a.Address))
		}
	}
	if was.More == 0 {
		out = append(out, surprises(req, expected, when)...)
	}
	return out
}

// surprises are managed accounts that a run changed for the worse without being expected to, and that no change of the
// directory explains.
func surprises(req *Request, expected map[string]bool, when string) []string {
	reading, entries := req.Observed.Accounts, req.Observed.Directory
	if reading == nil || !reading.Proof.Complete || entries == nil || !entries.Proof.Complete {
		return nil
	}
	live := make(map[int]*directory.Account, len(reading.Accounts))
	byAddress := make(map[string]*directory.Account, len(reading.Accounts))
	for _, a := range reading.Accounts {
		live[a.UID], byAddress[a.Address] = a, a
	}
	enabled := map[string]bool{}
	for _, e := range entries.Entries {
		enabled[e.ObjectID] = e.Enabled
	}
	var out []string
	for a := range req.Prior.Accounts.All() {
		if expected[a.Address] || a.UID == 0 || req.Now.Before(a.SettleUntil) {
			continue
		}
		now := live[a.UID]
		switch {
		case now == nil && byAddress[a.Address] != nil && a.Type == string(directory.FunctionalAccount) && byAddress[a.Address].Type != directory.FunctionalAccount,
			now != nil && a.Type == string(directory.FunctionalAccount) && now.Type != directory.FunctionalAccount:
			out = append(out, fmt.Sprintf("Since the vendor's sync ran at %s, %s is a user instead of a functional account (R40), which was not predicted.", when, a.Address))
		case now == nil && byAddress[a.Address] == nil:
			out = append(out, fmt.Sprintf("Since the vendor's sync ran at %s, the account %s is gone, which was not predicted.", when, a.Address))
		case now != nil && a.Active && !now.Active && enabled[a.ObjectID]:
			out = append(out, fmt.Sprintf("Since the vendor's sync ran at %s, %s is not active, which was not predicted.", when, a.Address))
		}
	}
	slices.Sort(out)
	return out
}

// overdue is the wait for a run that should have come by now; "" when there is nothing to wait for.
func overdue(req *Request, policy *Change, every time.Duration) string {
	if req.Prior == nil || req.Prior.Hosted == nil || every <= 0 || policy.Before == cty.NilVal || text(policy.Before, "hosted.frequency") == "never" {
		return ""
	}
	due := req.Prior.Hosted.At.Add(2 * every)
	ran, err := time.Parse(time.RFC3339, text(policy.Before, "last_successful_sync"))
	if req.Now.Before(due) || err == nil && ran.After(req.Prior.Hosted.At) {
		return ""
	}
	return fmt.Sprintf("the vendor's sync should have run by %s, and last_successful_sync has not moved since %s: what it does cannot be compared with the prediction yet",
		due.UTC().Format("2006-01-02 15:04 UTC"), orWord(text(policy.Before, "last_successful_sync"), "the beginning"))
}

func orWord(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
