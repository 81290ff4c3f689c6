package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/weir-project/weir/cmd/internal/render"
	"github.com/weir-project/weir/cmd/internal/review"
	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/planner/dirsync"
)

// reviewed is the list of a plan's items, with those of --skip left out already; empty when nobody asks for one.
func (w *workspace) reviewed(p *planner.Plan, f applyFlags) (*review.List, error) {
	if !leaving(f) {
		return review.New(nil, nil), nil
	}
	var groups []render.ReviewGroup
	couplings := map[string]map[string][]string{}
	for _, part := range p.Parts {
		if part.Status == planner.Errored {
			continue
		}
		groups = append(groups, render.ReviewGroups(part)...)
		couplings[part.Tenant.Key] = part.Couplings()
	}
	list := review.New(groups, couplings)
	for _, arg := range f.skips {
		if err := w.skip(list, arg); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// skip leaves an account out until a date, as ADDRESS=DATE says.
func (w *workspace) skip(list *review.List, arg string) error {
	mail, date, ok := strings.Cut(arg, "=")
	if !ok {
		return fmt.Errorf("--skip %q: write ADDRESS=DATE, such as kate@contoso.com=%s; to leave something out this time only there is --exclude", arg, w.around.now().AddDate(0, 1, 0).Format("2006-01-02"))
	}
	choice, err := review.ParseUntil(date, w.around.now())
	if err != nil {
		return fmt.Errorf("--skip %s: %w", arg, err)
	}
	var found []int
	var mails []string
	for i := range list.Items {
		it := &list.Items[i]
		if it.IsAccount() {
			mails = append(mails, it.Mail)
		}
		if it.IsAccount() && strings.EqualFold(it.Mail, mail) {
			found = append(found, i)
		}
	}
	if len(found) == 0 {
		text := fmt.Sprintf("--skip %s: nothing would be applied to an account of this address", arg)
		if near := config.Nearest(mail, mails); near != "" {
			return fmt.Errorf("%s; did you mean %s?", text, near)
		}
		return fmt.Errorf("%s; to protect one beforehand write an exemption block", text)
	}
	list.LeaveOut(choice, found...)
	return nil
}

// review asks a person what is left out: with a form where a terminal can show one, with questions and answers elsewhere.
func (w *workspace) review(ctx context.Context, list *review.List, noExemptions string) (approved bool, err error) {
	a := w.app
	in, file := a.Stdin.(*os.File)
	if term, _ := a.Env("TERM"); !file || !a.StdinTTY || !a.StdoutTTY || term == "dumb" {
		lines := review.Lines{In: a.Stdin, Out: a.Stderr, Now: w.around.now(), Owner: a.who(), NoExemptions: noExemptions}
		return lines.Run(ctx, list)
	}
	screen := review.NewScreen(list, w.around.now(), a.who(), noExemptions, a.color(a.StdoutTTY))
	return screen.Run(ctx, in, a.Stdout)
}

// reviewSaved shows a saved plan and lets a person leave items out of it. Exemptions would change the configuration that it
// was made from.
func (w *workspace) reviewSaved(ctx context.Context, p *planner.Plan, list *review.List) error {
	options := w.app.outOptions()
	options.Asking = true
	if err := render.Text(w.app.Stdout, p, options); err != nil {
		return err
	}
	approved, err := w.review(ctx, list, "A saved plan is applied to the configuration that it was made from: for exemptions run weir apply --review without it.")
	if err == nil && !approved {
		err = errNotApproved
	}
	return err
}

// leaveOut takes what a person left out of the plan. Exemptions are written into the configuration first, and the tenants
// concerned are planned again with them: they are part of what was approved.
func (w *workspace) leaveOut(ctx context.Context, p *planner.Plan, o planOptions, list *review.List) error {
	if list.Left() == 0 {
		return nil
	}
	by := w.app.who()
	omissions := map[string][]planner.Omission{}
	var exemptions []exempting
	tenants := map[string]string{}
	for _, part := range p.Parts {
		if !part.Removed {
			tenants[part.Tenant.Key] = part.Address
		}
	}
	for i := range list.Items {
		it := &list.Items[i]
		omission := planner.Omission{Address: it.Address, By: by}
		choice, chosen := list.Choice(i)
		if with, along := list.With(i); along {
			omission.With = list.Items[with].Address
		} else if !chosen {
			continue
		}
		switch {
		case chosen && choice.Way == review.UntilDate:
			omission.Until = choice.Until
		case chosen && choice.Way == review.Exempt:
			block, there := tenants[it.Key]
			if !there {
				return fmt.Errorf("%s: no block declares its tenant any more, so an exemption has nothing to belong to; leave it out this time", it.Address)
			}
			n := slices.IndexFunc(exemptions, func(e exempting) bool { return e.key == it.Key && e.words == choice.Exemption })
			if n < 0 {
				n = len(exemptions)
				exemptions = append(exemptions, exempting{key: it.Key, tenant: block, words: choice.Exemption})
			}
			exemptions[n].mails = append(exemptions[n].mails, it.Mail)
			// The block has no address before it is written; until then its place in the list stands for it.
			omission.Exemption = fmt.Sprint(n)
			omission.Reason = choice.Exemption.Reason
		}
		omissions[it.Key] = append(omissions[it.Key], omission)
	}
	if len(exemptions) > 0 {
		if err := w.exempt(ctx, exemptions); err != nil {
			return err
		}
	}
	for _, part := range p.Parts {
		for i := range omissions[part.Tenant.Key] {
			if om := &omissions[part.Tenant.Key][i]; om.Exemption != "" {
				var n int
				_, _ = fmt.Sscan(om.Exemption, &n)
				om.Exemption = exemptions[n].address
			}
		}
		part.Omit(omissions[part.Tenant.Key]...)
	}
	if len(exemptions) == 0 {
		return nil
	}
	return w.planExempted(ctx, p, o, exemptions)
}

// exempt writes the blocks and loads the configuration again. What does not load is taken back.
func (w *workspace) exempt(ctx context.Context, exemptions []exempting) error {
	undo, err := w.writeExemptions(exemptions)
	if err != nil {
		return fmt.Errorf("the exemptions were not written, and nothing was changed: %w", err)
	}
	if err := w.load(os.DirFS(w.app.dir()), nil); err != nil {
		return errors.Join(errors.New("the configuration does not load with the exemptions, so they were taken back; nothing was changed"), err, undo())
	}
	var names []string
	for _, e := range exemptions {
		names = append(names, e.address)
	}
	w.app.say("Wrote %s to %s; commit it.", strings.Join(names, ", "), exemptionFile)
	return ctx.Err()
}

// planExempted plans the tenants concerned again and narrows them to what was approved, the exemptions included.
func (w *workspace) planExempted(ctx context.Context, p *planner.Plan, o planOptions, exemptions []exempting) error {
	units, err := w.allUnits(ctx, o)
	if err != nil {
		return err
	}
	for i, part := range p.Parts {
		blocks, functional := map[string]bool{}, map[string]bool{}
		for _, e := range exemptions {
			if e.key != part.Tenant.Key {
				continue
			}
			blocks[e.address] = true
			for _, mail := range e.mails {
				functional[planner.AccountAddress(part.AccountPolicy, mail)] = e.words.Functional
			}
		}
		if len(blocks) == 0 {
			continue
		}
		n := slices.IndexFunc(units, func(u *unit) bool { return u.key == part.Tenant.Key })
		if n < 0 {
			return fmt.Errorf("tenant %q is not in the configuration any more", part.Tenant.Key)
		}
		again, diags, err := w.build(ctx, units[n], o, nil)
		if err != nil {
			return fmt.Errorf("%s stays written and nothing was applied, since the tenant could not be planned with it: %w", exemptionFile, err)
		}
		w.warn(diags)
		if again.Status == planner.Errored {
			return fmt.Errorf("%s stays written and nothing was applied, since the tenant could not be planned with it: %s", exemptionFile, strings.Join(again.Errors, "; "))
		}
		decided := map[string]dirsync.Action{}
		if again.Accounts != nil {
			for i := range again.Accounts.Decisions {
				d := &again.Accounts.Decisions[i]
				decided[planner.AccountAddress(again.AccountPolicy, d.Address)] = d.Action
			}
		}
		again.StayHeld(part)
		again.Approve(part, func(address string, _ planner.Item) bool {
			return blocks[address] || functional[address] && decided[address] == dirsync.Convert
		})
		p.Parts[i] = again
	}
	p.Digest, p.Sources = w.digest, w.sources()
	return nil
}
