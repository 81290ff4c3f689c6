package planner

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/resource"
)

// problems lists what could not be read, in full sentences. What failed for one reason, as everything does where nobody
// can sign in, is one sentence.
func problems(o *Observation) []string {
	var reads failures
	for _, name := range slices.Sorted(maps.Keys(o.Objects)) {
		reads.add(name+" objects", o.Objects[name].Err)
	}
	reads.add("the directory", o.DirectoryErr)
	if o.Directory != nil {
		reads.add("mailbox kinds (in Exchange Online)", o.Directory.KindsErr)
	}
	reads.add("the accounts", o.AccountsErr)
	out := reads.sentences()
	if o.Directory != nil && !o.Directory.Proof.Complete {
		out = append(out, "the read of the directory is not complete: "+o.Directory.Proof.Problem)
	}
	if o.Accounts != nil && !o.Accounts.Proof.Complete {
		out = append(out, "the read of the accounts is not complete: "+o.Accounts.Proof.Problem)
	}
	return out
}

// failures are reads that failed, by reason, in the order in which they came.
type failures []failure

type failure struct {
	reason string
	what   []string
	err    error // of the first
}

// add counts a read; without an error it did not fail.
func (f *failures) add(what string, err error) {
	if err == nil {
		return
	}
	reason := err.Error()
	var call *resource.Error
	if errors.As(err, &call) {
		reason = call.Reason()
	}
	for i := range *f {
		if same := &(*f)[i]; same.reason == reason {
			same.what = append(same.what, what)
			return
		}
	}
	*f = append(*f, failure{reason, []string{what}, err})
}

// sentences say what failed, and why.
func (f failures) sentences() []string {
	var out []string
	for _, one := range f {
		text := one.err.Error() // which call it was, too
		if len(one.what) > 1 {
			text = one.reason
		}
		out = append(out, fmt.Sprintf("%s could not be read: %s", enumerated(one.what), text))
	}
	return out
}

// enumerated is "a", "a and b", "a, b and c".
func enumerated(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// addProblems adds those of a decision about accounts. That the directory could not be read has been said, with its reason.
func (p *Part) addProblems(o *Observation, more []string) {
	for _, text := range more {
		if o.DirectoryErr != nil && text == dirsync.DirectoryUnread {
			continue
		}
		p.Problems = append(p.Problems, text)
	}
}
