package store

import (
	"errors"
	"fmt"
	"time"
)

// DefaultTTL is how long a holder that shows no sign of life keeps a tenant.
const DefaultTTL = 120 * time.Second

// Holder says who wants to change a tenant. All of it is for people, but for
// Run and Process.
type Holder struct {
	// Run is the run's id, unique; empty means a random one.
	Run string
	// Who is the identity, such as a user name or a CI job.
	Who string
	// Host is the machine's name.
	Host string
	// Operation is the command, such as apply or sync.
	Operation string
	// Plan is the digest of the plan that is applied, for the record of the run; empty for none.
	Plan string
	// Process is this process, see ThisProcess; the zero value can never be proved
	// dead.
	Process Process
}

// Process names one process for as long as its machine is up. Containers share
// host names and process ids, so it takes all four.
type Process struct {
	Boot      string `json:"boot,omitempty"`      // id of the machine's boot
	Namespace string `json:"namespace,omitempty"` // process id namespace
	PID       int    `json:"pid,omitempty"`
	Start     string `json:"start,omitempty"` // start time, in the system's own unit
}

// known reports whether the process is named well enough to be looked for.
func (p Process) known() bool {
	return p.Boot != "" && p.Namespace != "" && p.PID > 0 && p.Start != ""
}

// HeldError says that another run holds the tenant.
type HeldError struct {
	Tenant    string
	Run       string
	Who       string
	Host      string
	Operation string
	Since     time.Time // by the holder's clock
	Until     time.Time // by ours: when it would lapse if no further sign of life came
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("another run holds tenant %q: %s by %s on %s (run %s), since %s and at least until %s; "+
		"wait for it, let this run wait with --lock-timeout or, if it is certainly dead, free the tenant with weir state unlock %s",
		e.Tenant, e.Operation, e.Who, e.Host, e.Run, e.Since.Format(time.RFC3339), e.Until.Format(time.RFC3339), e.Run)
}

var (
	// ErrLost says that the run no longer holds its tenant. It must begin no further
	// call that changes something.
	ErrLost = errors.New("this run no longer holds the tenant")
	// ErrReleased is the cause of a lease's context after Release.
	ErrReleased = errors.New("the tenant was given back")
	// ErrHeadless says that a tenant's state is there but its head is not. It was
	// deleted; nothing is written until it is restored.
	ErrHeadless = errors.New("the head of this tenant's state is missing, but other parts of it are there; " +
		"restore the head from the bucket's versions, or move the other parts away to begin anew")
	// ErrRolledBack says that an older head was put in the place of a newer one.
	ErrRolledBack = errors.New("the journal is newer than the head of this tenant's state, " +
		"so an older head was restored; restore the newest one")
)
