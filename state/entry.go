package state

import (
	"fmt"
	"time"
)

// Entry is one entry of the journal. Exactly one of its fields is set.
type Entry struct {
	Intent  *Intent
	Outcome *Outcome
	Note    *Note
	Seal    *Seal
}

// Intent says that an operation is about to begin. It must be durable before the
// vendor call of every operation that cannot be repeated: create, delete,
// replace. An intent without an outcome is in doubt.
type Intent struct {
	// Op is the operation's id, unique in the lineage.
	Op string
	// Address of the object; for a derived account that of its policy.
	Address string
	// Mail is the derived account's address in state, or the one it is about to get;
	// empty for a declared object.
	Mail string
	// Type is the resource type; "account" for a derived account.
	Type string
	// Action is what is about to be done: create, update, delete, disable, ….
	Action string
	// NaturalKey is what finds the object at the vendor when its id is not known.
	NaturalKey string
	// ID is the vendor's id, if it has one already.
	ID string
	// Digest stands for the desired values, to recognise the object as ours.
	Digest string
	// Counts are the addresses that stop receiving by it, lower case: while it is in doubt they count against the limits
	// as if it had happened.
	Counts []string
	// Time is when, UTC.
	Time time.Time
}

// Removals are what the operation counts against the limits, if it happened.
func (i Intent) Removals() []Removal {
	kind := RemovalAlias
	switch i.Action {
	case "delete":
		kind = RemovalDelete
	case "disable":
		kind = RemovalDisable
	}
	var out []Removal
	for _, mail := range i.Counts {
		out = append(out, Removal{Mail: mail, Kind: kind, Op: i.Op, Time: i.Time})
	}
	return out
}

// Result is how an operation ended.
type Result string

// The three results.
const (
	Done    Result = "done"    // it happened
	Failed  Result = "failed"  // it certainly did not, or not wholly; what did is in Object or Account
	Unknown Result = "unknown" // it may have: it stays in doubt
)

// Outcome says how an operation ended and what is true since. It carries
// everything itself, so that an operation that can be repeated needs no intent.
type Outcome struct {
	// Op is the id of the operation, as in its intent if it had one.
	Op string
	// Address and Mail as in Intent: what the object or account was called in state
	// before. When Object or Account bears another name, the old entry goes.
	Address string
	Mail    string
	// Type is the resource type; "account" for a derived account.
	Type string
	// Action is what was done.
	Action string
	Result Result
	// Object is the declared object as it is now; it is put into state whatever
	// Result says.
	Object *Object
	// Account is the derived account as it is now, likewise.
	Account *Account
	// Deleted takes the object or account out of state: deleted at the vendor, found
	// gone, or released.
	Deleted bool
	// Removals are addresses that stopped receiving by it, for the limits.
	Removals []Removal
	// Error is what the vendor said, without secrets; for people.
	Error string
	// Time is when, UTC.
	Time time.Time
}

// Note records what is neither begun nor done at a vendor: new addresses, values of
// outputs, the tenant's identity, a person's skips. Fields left nil change nothing.
type Note struct {
	// Text is for people.
	Text string
	// Moved gives what is remembered under an address a new one, see Rename. It
	// comes before everything else in the note.
	Moved []Rename
	// Outputs are merged by name; one whose Value is cty.NilVal is removed.
	Outputs map[string]Output
	// Tenant replaces the tenant's identity.
	Tenant *TenantMeta
	// Skips replaces all skips.
	Skips *[]Skip
	// Allowance is the digest of a one-time allowance that is now used up.
	Allowance string
	// Applied replaces what the last apply went by.
	Applied *Applied
	// Hosted replaces what the vendor's own directory sync is expected to do.
	Hosted *Hosted
	// Time is when, UTC.
	Time time.Time
}

// Rename is one address that became another: of an object, and with it whatever
// names the address, such as dependencies, the policy of accounts, skips, and what
// is in doubt. One rename carries all accounts of a policy.
type Rename struct {
	From string
	To   string
}

// Seal closes the journal to every holder before the one with this epoch.
type Seal struct {
	// Epoch is the new holder's.
	Epoch uint64
	// Run is the new holder's run id.
	Run string
	// Time is when, UTC; for people.
	Time time.Time
}

// Apply merges one journal entry into the state. Entries are applied in journal
// order; applying a finished operation a second time changes nothing. The error
// says that the entry is malformed; the state is then unchanged.
func (s *State) Apply(e Entry) error {
	switch {
	case e.Intent != nil:
		return s.intend(*e.Intent)
	case e.Outcome != nil:
		return s.record(e.Outcome)
	case e.Note != nil:
		if err := checkRenames(e.Note.Moved); err != nil {
			return err
		}
		s.note(e.Note)
		return nil
	case e.Seal != nil:
		return nil // a seal fences; it says nothing about the tenant
	}
	return fmt.Errorf("empty journal entry")
}

func (s *State) intend(i Intent) error {
	if err := i.check(); err != nil {
		return err
	}
	if s.InDoubt == nil {
		s.InDoubt = make(map[string]Intent)
	}
	s.InDoubt[i.Op] = i
	return nil
}

func (i Intent) check() error {
	if i.Op == "" || i.Address == "" {
		return fmt.Errorf("intent %q about %q: operation id and address are required", i.Op, i.Address)
	}
	return nil
}

func (s *State) record(o *Outcome) error {
	if err := o.check(); err != nil {
		return err
	}
	if o.Result != Unknown {
		delete(s.InDoubt, o.Op)
	}
	switch {
	case o.Mail != "":
		if o.Deleted || o.Account != nil && o.Account.Address != o.Mail {
			s.Accounts.Delete(o.Mail)
		}
		if o.Account != nil {
			s.Accounts.Put(o.Account)
		}
	case o.Object != nil || o.Deleted:
		if o.Deleted || o.Object.Address != o.Address {
			delete(s.Objects, o.Address)
		}
		if o.Object != nil {
			if s.Objects == nil {
				s.Objects = make(map[string]*Object)
			}
			s.Objects[o.Object.Address] = o.Object
		}
	}
	s.countRemovals(o.Removals)
	return nil
}

func (o *Outcome) check() error {
	bad := func(what string) error {
		return fmt.Errorf("outcome %q about %q: %s", o.Op, o.Address, what)
	}
	switch {
	case o.Op == "" || o.Address == "":
		return bad("operation id and address are required")
	case o.Result != Done && o.Result != Failed && o.Result != Unknown:
		return bad(fmt.Sprintf("result %q is not done, failed or unknown", o.Result))
	case o.Object != nil && o.Account != nil:
		return bad("both an object and an account")
	case o.Object != nil && (o.Mail != "" || o.Object.Address == ""):
		return bad("the object has no address, or the outcome names an account")
	case o.Account != nil && (o.Mail == "" || o.Account.Address == ""):
		return bad("the account's address is missing, in the outcome or in the account")
	case o.Deleted && (o.Object != nil || o.Account != nil):
		return bad("deleted, and yet there")
	case o.Deleted && o.Result != Done:
		return bad("deleted, but not done")
	}
	return nil
}

func (s *State) note(n *Note) {
	s.rename(n.Moved)
	for name, v := range n.Outputs {
		if !v.present() {
			delete(s.Outputs, name)
			continue
		}
		if s.Outputs == nil {
			s.Outputs = make(map[string]Output)
		}
		s.Outputs[name] = v
	}
	if n.Tenant != nil {
		s.Tenant = *n.Tenant
	}
	if n.Skips != nil {
		s.Skips = *n.Skips
	}
	if n.Hosted != nil {
		s.Hosted = n.Hosted
	}
	if n.Allowance != "" {
		if s.Allowances == nil {
			s.Allowances = make(map[string]time.Time)
		}
		s.Allowances[n.Allowance] = n.Time
	}
	if n.Applied != nil {
		s.Applied = *n.Applied
	}
}
