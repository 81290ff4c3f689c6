package live

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// Readers are what one tenant is read with.
type Readers struct {
	Conn *resource.Conn
	// Types are those that the configuration or the state names.
	Types []*resource.Type
	// Directory reads Entra and Exchange; nil when nothing asks for people.
	Directory func(ctx context.Context) (*directory.Reading, error)
	// Accounts reads the organization's accounts; nil when nothing asks for them.
	Accounts func(ctx context.Context) (*directory.AccountReading, error)
	// Mail asks DNS about domains; nil when there is no resolver.
	Mail func(ctx context.Context, domains []string) resource.MailFacts
	// Cloud tells in which part of Microsoft's cloud the directory is; nil when nothing asks for that. It is asked last, when
	// signing in has mostly told it.
	Cloud func(ctx context.Context) (string, error)
	// Parallel bounds the reads at once; 0 means 6.
	Parallel int
}

// Read observes the tenant. It never fails as a whole: what could not be read carries its error.
func Read(ctx context.Context, r Readers, now time.Time) *planner.Observation {
	o := &planner.Observation{Objects: map[string]planner.Reading{}, At: now}
	var mu sync.Mutex
	set := func(name string, reading planner.Reading) {
		mu.Lock()
		defer mu.Unlock()
		o.Objects[name] = reading
	}
	absent := r.organizationAbsent(ctx, set)

	group := errgroup.Group{}
	group.SetLimit(max(r.Parallel, 6))
	for _, t := range r.Types {
		switch {
		case t.Name == organizationType:
		case absent && t.Provider == "essentials":
			// An organization that certainly does not exist has no domains, settings or accounts.
			set(t.Name, planner.Reading{})
		default:
			group.Go(func() error {
				found, err := list(ctx, t, r.Conn)
				set(t.Name, planner.Reading{Live: found, Err: err})
				return nil
			})
		}
	}
	if r.Directory != nil {
		group.Go(func() error {
			reading, err := guarded(func() (*directory.Reading, error) { return r.Directory(ctx) })
			mu.Lock()
			defer mu.Unlock()
			o.Directory, o.DirectoryErr = reading, err
			return nil
		})
	}
	if r.Accounts != nil && !absent {
		group.Go(func() error {
			reading, err := guarded(func() (*directory.AccountReading, error) { return r.Accounts(ctx) })
			mu.Lock()
			defer mu.Unlock()
			o.Accounts, o.AccountsErr = reading, err
			return nil
		})
	}
	_ = group.Wait() // every function returns nil: errors are part of the observation
	if r.Cloud != nil {
		o.Cloud, o.CloudErr = guarded(func() (string, error) { return r.Cloud(ctx) })
	}
	if r.Mail != nil {
		o.Mail = r.Mail(ctx, mailDomains(r, o))
	}
	return o
}

func list(ctx context.Context, t *resource.Type, conn *resource.Conn) ([]resource.Live, error) {
	return guarded(func() ([]resource.Live, error) { return t.List(ctx, conn) })
}

// guarded turns a panic of a read into its error: one answer that no driver expected makes one thing unknown, and ends
// neither the tenant nor, from a goroutine of its own, the whole run.
func guarded[T any](read func() (T, error)) (found T, err error) {
	defer func() {
		if p := recover(); p != nil {
			var none T
			found, err = none, fmt.Errorf("internal error while reading: %v. Please report it", p)
		}
	}()
	return read()
}

// organizationType is the type whose object everything else of an organization lives in.
const organizationType = "tenant"

// organizationAbsent reads the organization first and reports whether it certainly does not exist.
func (r Readers) organizationAbsent(ctx context.Context, set func(string, planner.Reading)) bool {
	for _, t := range r.Types {
		if t.Name != organizationType {
			continue
		}
		found, err := list(ctx, t, r.Conn)
		if errors.Is(err, resource.ErrAbsent) {
			found, err = nil, nil
		}
		set(t.Name, planner.Reading{Live: found, Err: err})
		return err == nil && len(found) == 0
	}
	return false
}

// mailDomains are the domains that DNS is asked about: those that Essentials or the directory knows.
func mailDomains(r Readers, o *planner.Observation) []string {
	seen := map[string]bool{}
	add := func(name string) {
		if name = strings.ToLower(name); name != "" {
			seen[name] = true
		}
	}
	add(r.Conn.Tenant.PrimaryDomain)
	for _, l := range o.Objects["domain"].Live {
		if v := resource.Get(l.Value, "name"); !v.IsNull() {
			add(v.AsString())
		}
	}
	if o.Directory != nil {
		for _, d := range o.Directory.Domains {
			add(d)
		}
	}
	out := make([]string, 0, len(seen))
	for d := range seen {
		out = append(out, d)
	}
	sort.Strings(out)
	return out
}
