package config

import (
	"context"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
)

// Inputs are what the frame is evaluated with besides the files.
type Inputs struct {
	// Vars are values of root variables in ascending precedence, each with where it came from. Text from the command
	// line or the environment is an expression for typed variables other than string, as in Terraform.
	Vars []VarInput
	// Env looks up environment variables for env() and provider bodies; nil means none.
	Env func(string) (string, bool)
	// Now is the time that timestamp() returns, UTC.
	Now time.Time
	// Simulated says that the run is against a simulator: providers then need no credentials of their own.
	Simulated bool
	// Unconnected says that no vendor is asked: provider bodies are left alone, so that none of the credentials that
	// they name has to be there. Frame.Providers is empty then, and no tenant has a provider or a stack.
	Unconnected bool
}

// VarInput is one given value of a root variable.
type VarInput struct {
	Name string
	// Text is the unparsed value (command line, environment); used when Value is cty.NilVal.
	Text string
	// Value is a parsed value (variable file, saved plan).
	Value cty.Value
	// Source says where it was given: "--var", "WEIR_VAR_x", or a file name.
	Source string
	// Range is the place in a variable file; zero otherwise.
	Range hcl.Range
	// FromFile marks values of variable files, whose undeclared names are errors with the nearest name.
	FromFile bool
}

// Frame is the first stage's result: all of it is known.
type Frame struct {
	// Settings is the weir block.
	Settings Settings
	// Tenants in order of key.
	Tenants []*Tenant
	// Providers in order of address.
	Providers []*Provider
	// Variables are the evaluated root variables by name, ephemeral ones left out; Sensitive names those to be kept
	// out of unencrypted files.
	Variables map[string]cty.Value
	Sensitive map[string]bool
	// Safeguard is the root safeguard block, the defaults of all tenants: an object of SafeguardTable; null without one.
	Safeguard cty.Value
	// Secrets are the references that provider bodies and blocks name, by URL.
	Secrets []*resource.SecretRef
	// Files are the contents read through functions while the frame was evaluated, by path relative to the root.
	Files map[string][]byte
	// Moved are the moved blocks, in source order. Each address is moved by at most one of them at a time, no two have
	// one destination, and no chain of them comes back to where it began.
	Moved []Moved

	graph  *Graph
	inputs Inputs
	eval   any
}

// Settings is the weir block, with defaults filled in.
type Settings struct {
	RequiredVersion string
	// VendorData is the pinned date, YYYY-MM-DD; "" means the newest that the program carries.
	VendorData string
	// StateURL is "" for .weir/ beside the files.
	StateURL string
	// Plaintext allows a bucket without encryption.
	Plaintext bool
	// Encryption is the encryption block; nil without one.
	Encryption *Encryption
	// Adopt is "allow" (default) or "refuse".
	Adopt string
	// Range is the weir block's header.
	Range hcl.Range
}

// Provider is one evaluated provider block.
type Provider struct {
	// Type is "essentials" or "microsoft", Name the label.
	Type, Name string
	// Config is the evaluated body; write-only arguments hold resource.SecretType values.
	Config cty.Value
	Range  hcl.Range
}

// Tenant is one instance of a tenant block, as far as the frame knows it.
type Tenant struct {
	resource.Identity
	Address resource.Address
	Tags    map[string]string
	// Essentials and Microsoft are the provider blocks that serve it; nil when none is declared.
	Essentials, Microsoft *Provider
	Range                 hcl.Range
}

// Instance is one declared object of a tenant, evaluated as far as its references are known.
type Instance struct {
	Address resource.Address
	Type    *resource.Type
	// Config conforms to Type.Object(): arguments as written, null where left out (defaults are not filled in), null
	// for computed attributes, unknown where a reference is. Sensitive values carry the mark SensitiveMark.
	Config cty.Value
	// Ranges gives the source of each argument by dotted path; "" is the block's header.
	Ranges map[string]hcl.Range
	// Dependencies are the addresses of the instances that the block refers to or names in depends_on, sorted.
	Dependencies []string
	Lifecycle    Lifecycle
	// Import is the id that an import block gives for this address; "" without one.
	Import string
}

// Lifecycle is the evaluated lifecycle block.
type Lifecycle struct {
	// PreventDestroy is nil when not written.
	PreventDestroy      *bool
	IgnoreChanges       []string // dotted paths; "all" for every one
	CreateBeforeDestroy bool
	// ReplaceTriggeredBy are addresses or attribute paths whose planned change forces replacement.
	ReplaceTriggeredBy []string
	// Check evaluates pre- and postconditions with self bound to the given value; before is true for preconditions.
	Check func(before bool, self cty.Value) hcl.Diagnostics
}

// Removed is one removed block.
type Removed struct {
	From resource.Address
	// Whole is true when From names a block without keys and all its instances are meant.
	Whole   bool
	Destroy bool
	Range   hcl.Range
}

// Names reports whether the block is about the object at an address. Keys of module calls that From writes must be the
// address's; where it writes none, every instance is meant.
func (r Removed) Names(a resource.Address) bool {
	from := r.From
	if from.Type != a.Type || from.Name != a.Name || from.Data != a.Data || len(from.Module) != len(a.Module) {
		return false
	}
	for i, step := range from.Module {
		if step.Name != a.Module[i].Name || step.Key.IsSet() && step.Key != a.Module[i].Key {
			return false
		}
	}
	return from.Key == a.Key || r.Whole && !from.Key.IsSet()
}

// Moved is one moved block: what state holds under From is renamed To. An address whose Type is empty names a module
// call; see Rename for what keys mean.
type Moved struct {
	From, To resource.Address
	Range    hcl.Range
}

// DataRead is one data block instance whose arguments are known.
type DataRead struct {
	Address resource.Address
	Type    *resource.DataType
	Config  cty.Value
	// Tenant is the tenant it reads; nil in the root without one.
	Tenant *Tenant
	Range  hcl.Range
}

// EvalRequest says how to evaluate the blocks of one tenant, or of the root.
type EvalRequest struct {
	// Tenant selects the blocks; nil means the objects that belong to no tenant.
	Tenant *Tenant
	// Data answers data reads, each once; an error makes the data unknown and everything that for_each-es over it
	// Unknown.
	Data func(ctx context.Context, read DataRead) (cty.Value, error)
	// Visit is called for every instance in dependency order and returns its planned or applied value, which later
	// references see; instances without a path between them may be visited at the same time, up to Parallel (1 when
	// 0). Diagnostics with errors make what depends on the instance be skipped.
	Visit    func(ctx context.Context, inst *Instance) (cty.Value, hcl.Diagnostics)
	Parallel int
	// Known are values of instances outside this evaluation, by address: root objects while a tenant is evaluated, and
	// everything while root outputs are. What is missing is unknown.
	Known map[string]cty.Value
	// OutputsOnly, with Tenant nil, evaluates the root outputs and visits nothing.
	OutputsOnly bool
}

// Evaluation is what remains to be known after a walk.
type Evaluation struct {
	// Visited are the addresses that were visited, in order.
	Visited []string
	// Skipped are instances not visited because something they need failed, with the address that failed.
	Skipped map[string]string
	// Unknown are block addresses (without keys) whose instances could not be determined, because for_each or count
	// rests on a failed or unknown read: what state holds of them is unknown, not removed.
	Unknown map[string]string // block address → reason
	// Removed, Moved and Outputs as evaluated. Removed and Moved are those of the whole configuration.
	Removed []Removed
	Moved   []Moved
	Outputs map[string]Output // root outputs; only when EvalRequest.Tenant is nil
	// Files are the contents read through functions up to now, in the frame and in this evaluation, by path.
	Files map[string][]byte
}

// Output is one root output.
type Output struct {
	Value       cty.Value
	Sensitive   bool
	Description string
}

// SensitiveMark marks values that must not be shown.
type mark string

// The marks that values carry.
const (
	SensitiveMark mark = "sensitive"
	EphemeralMark mark = "ephemeral"
)
