package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/weir-project/weir/state"
)

// Run is one run that changed a tenant, and with it one version of the tenant's state.
type Run struct {
	// Serial numbers the version that it left, from 2: the first is the empty state that a tenant begins with.
	Serial uint64
	// ID, Who, Host, Operation and Plan are the Holder's; of a run that died only ID may be known.
	ID, Who, Host, Operation, Plan string
	// Note is for people, such as "rolled back to 4".
	Note string
	// Started and Ended are by the clock of whoever wrote them, UTC. Of an interrupted run Ended is when it was
	// found dead.
	Started, Ended time.Time
	// Interrupted says that the run did not give the tenant back itself; another run wrote this.
	Interrupted bool
	// Changes are its operations in journal order, at most the first maxRecorded.
	Changes []RunChange
	// Counts are the numbers of its operations by action, all of them; those that failed are under "failed".
	Counts map[string]int
}

// RunChange is one operation of a run.
type RunChange struct {
	Address string
	Mail    string // of a derived account; else empty
	Type    string
	Action  string
	Result  state.Result
}

// ErrNoVersion says that a tenant's history has no such serial, or not any more.
var ErrNoVersion = errors.New("there is no such version of this tenant's state")

// maxRecorded is the most changes that a record lists; Counts has all.
const maxRecorded = 10_000

// runV1 is the stored form of a run's record. It holds the coordinates of the state that the run left, and the head
// that the run found, so that records and heads form a chain.
type runV1 struct {
	Format      int            `json:"format"`
	Tenant      string         `json:"tenant"`
	Lineage     string         `json:"lineage"`
	Serial      uint64         `json:"serial"`
	Run         string         `json:"run"`
	Who         string         `json:"who,omitempty"`
	Host        string         `json:"host,omitempty"`
	Operation   string         `json:"operation,omitempty"`
	Plan        string         `json:"plan,omitempty"`
	Note        string         `json:"note,omitempty"`
	Started     time.Time      `json:"started,omitzero"`
	Ended       time.Time      `json:"ended"`
	Interrupted bool           `json:"interrupted,omitempty"`
	Checkpoint  checkpointV1   `json:"checkpoint"`
	Base        uint64         `json:"journal_base"`
	End         uint64         `json:"journal_end"` // first slot that is not the version's
	Changes     []changeV1     `json:"changes,omitempty"`
	Counts      map[string]int `json:"counts,omitempty"`
	Previous    *recordV1      `json:"previous,omitempty"`
	Found       []byte         `json:"found,omitempty"` // the head as stored when the run took the tenant
}

type changeV1 struct {
	Address string       `json:"address,omitempty"`
	Mail    string       `json:"mail,omitempty"`
	Type    string       `json:"type,omitempty"`
	Action  string       `json:"action,omitempty"`
	Result  state.Result `json:"result,omitempty"`
}

// recordV1 names one record.
type recordV1 struct {
	Key    string `json:"key"`    // below the tenant's prefix
	Digest string `json:"digest"` // of the stored bytes
}

const recordFolder = "runs/"

// deeds are what one run did, as its journal tells.
type deeds struct {
	run     string
	end     uint64 // first slot after its last
	entries int    // without seals
	changes []RunChange
	counts  map[string]int
}

func (d *deeds) add(entries []state.Entry, end uint64) {
	d.end = end
	for _, e := range entries {
		if e.Seal == nil {
			d.entries++
		}
		o := e.Outcome
		if o == nil {
			continue
		}
		if d.counts == nil {
			d.counts = make(map[string]int)
		}
		action := o.Action
		if o.Result == state.Failed {
			action = "failed"
		}
		d.counts[action]++
		if len(d.changes) < maxRecorded {
			d.changes = append(d.changes, RunChange{Address: o.Address, Mail: o.Mail, Type: o.Type, Action: o.Action, Result: o.Result})
		}
	}
}

// join adds what the same run did later.
func (d *deeds) join(more deeds) {
	d.end = more.end
	d.entries += more.entries
	d.changes = append(d.changes, more.changes[:min(len(more.changes), maxRecorded-len(d.changes))]...)
	if d.counts == nil {
		d.counts = more.counts
		return
	}
	for action, n := range more.counts {
		d.counts[action] += n
	}
}

func (r *runV1) by(l *leaseV1) {
	r.Run, r.Who, r.Host, r.Operation, r.Started = l.Run, l.Who, l.Host, l.Operation, l.Started
}

func (r *runV1) fill(d *deeds) {
	r.Counts = d.counts
	for _, c := range d.changes {
		r.Changes = append(r.Changes, changeV1(c))
	}
}

func (r *runV1) public() *Run {
	v := &Run{
		Serial: r.Serial, ID: r.Run, Who: r.Who, Host: r.Host, Operation: r.Operation, Plan: r.Plan, Note: r.Note,
		Started: r.Started, Ended: r.Ended, Interrupted: r.Interrupted, Counts: r.Counts,
	}
	for _, c := range r.Changes {
		v.Changes = append(v.Changes, RunChange(c))
	}
	return v
}

// putRecord stores the record of a run and returns how the next one, or a head, names it. Nothing refers to it until a
// head does.
func (t *Tenant) putRecord(ctx context.Context, r *runV1, try tries) (*recordV1, error) {
	raw, err := state.Pack(r)
	if err != nil {
		return nil, err
	}
	// The nonce keeps two tries of one run apart, of which the first may have been kept.
	name := fmt.Sprintf("%s%010d-%s", recordFolder, r.Serial, t.b.nonce())
	body, err := t.create(ctx, t.prefix+name, raw, try)
	if err != nil {
		return nil, err
	}
	return &recordV1{Key: name, Digest: digest(body)}, nil
}

// errNoRecord says that a record is not there. Records are never collected.
var errNoRecord = errors.New("it is missing, and its successor names it; restore it from the bucket's versions")

// record reads and verifies one record.
func (t *Tenant) record(ctx context.Context, lineage string, at *recordV1) (*runV1, error) {
	key := t.prefix + at.Key
	if !validKey(key) || !strings.HasPrefix(at.Key, recordFolder) {
		return nil, fmt.Errorf("tenant %q: %w: %q is no record of a run", t.key, state.ErrDamaged, at.Key)
	}
	body, _, err := t.b.store.Get(ctx, key)
	if errors.Is(err, ErrAbsent) {
		return nil, fmt.Errorf("state object %s: %w: %w", key, state.ErrDamaged, errNoRecord)
	}
	if err != nil {
		return nil, err
	}
	if digest(body) != at.Digest {
		return nil, fmt.Errorf("state object %s: %w: it is not the one that its successor names", key, state.ErrDamaged)
	}
	return t.openRecord(key, lineage, body)
}

func (t *Tenant) openRecord(key, lineage string, body []byte) (*runV1, error) {
	raw, err := t.seal.Load().unwrap(key, body, true)
	if err != nil {
		return nil, err
	}
	r := new(runV1)
	if err := state.Unpack(raw, 1, r); err != nil {
		return nil, fmt.Errorf("state object %s: %w", key, err)
	}
	if r.Tenant != t.key || r.Lineage != lineage || r.Serial == 0 || r.Base == 0 || r.End < r.Base {
		return nil, fmt.Errorf("state object %s: %w: it belongs to another state", key, state.ErrDamaged)
	}
	return r, nil
}

// records yields the chain, newest first. A record that is missing ends it with an error.
func (t *Tenant) records(ctx context.Context, h *headV1) iter.Seq2[*runV1, error] {
	return func(yield func(*runV1, error) bool) {
		serial := h.Serial + 1
		for at := h.Last; at != nil; {
			r, err := t.record(ctx, h.Lineage, at)
			if err == nil && r.Serial >= serial {
				err = fmt.Errorf("state object %s: %w: version %d does not come before version %d", t.prefix+at.Key, state.ErrDamaged, r.Serial, serial)
			}
			if !yield(r, err) || err != nil {
				return
			}
			at, serial = r.Previous, r.Serial
		}
	}
}

// History yields the runs that changed the tenant, each with the version that it left, newest first. A tenant without a
// head has none. It ends with an error when a record is missing or damaged. Nothing is written.
func (t *Tenant) History(ctx context.Context) iter.Seq2[*Run, error] {
	return func(yield func(*Run, error) bool) {
		h, _, err := t.head(ctx)
		if errors.Is(err, ErrAbsent) {
			return
		}
		if err != nil {
			yield(nil, err)
			return
		}
		for r, err := range t.records(ctx, h) {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(r.public(), nil) {
				return
			}
		}
	}
}

// At returns the state as it was when the run ended that made this serial. The present serial is the state as it is
// now. ErrNoVersion says that there is none, or that its parts were collected. Nothing is written.
func (t *Tenant) At(ctx context.Context, serial uint64) (*state.State, error) {
	h, _, err := t.head(ctx)
	if err != nil {
		return nil, err
	}
	if serial == 1 && h.Serial > 1 {
		now, err := t.read(ctx, h)
		if err != nil {
			return nil, err
		}
		s := state.New(h.Lineage, h.Realm, state.TenantMeta{Key: t.key}, now.s.VersionKey)
		s.Serial = 1
		return s, nil
	}
	if serial == h.Serial {
		return t.State(ctx)
	}
	for r, err := range t.records(ctx, h) {
		if err != nil {
			return nil, err
		}
		if r.Serial == serial {
			return t.at(ctx, h, r)
		}
		if r.Serial < serial {
			break
		}
	}
	return nil, fmt.Errorf("tenant %q, version %d: %w", t.key, serial, ErrNoVersion)
}

// at reads the state that a record names.
func (t *Tenant) at(ctx context.Context, h *headV1, r *runV1) (*state.State, error) {
	then := *h
	then.Serial, then.Checkpoint, then.Base = r.Serial, r.Checkpoint, r.Base
	s, _, err := t.load(ctx, &then)
	if errors.Is(err, errMissing) {
		return nil, fmt.Errorf("tenant %q, version %d: %w: it was collected", t.key, r.Serial, ErrNoVersion)
	}
	if err != nil {
		return nil, err
	}
	end := tail{next: r.Base}
	for end.next < r.End {
		body, _, err := t.b.store.Get(ctx, t.slotKey(end.next))
		if errors.Is(err, ErrAbsent) {
			return nil, fmt.Errorf("tenant %q, version %d: %w: its journal was collected", t.key, r.Serial, ErrNoVersion)
		}
		if err != nil {
			return nil, err
		}
		if err := end.add(t, s, body, h.Epoch); err != nil {
			return nil, err
		}
	}
	s.Serial = r.Serial
	return s, nil
}

// Audit is what a walk along a tenant's records found.
type Audit struct {
	// Runs are the records of the chain, newest first.
	Runs []*Run
	// Broken says what is wrong; empty if the chain is whole down to the first version.
	Broken []string
	// Loose are records that the chain does not name: of runs that died on their last step.
	Loose []string
}

// Audit walks the chain of records from the head down and verifies it: every record is the one that its successor
// names, and continues the head that its run found. Damage is in the result; the error is the store's.
func (t *Tenant) Audit(ctx context.Context) (*Audit, error) {
	h, _, err := t.head(ctx)
	if err != nil {
		return nil, err
	}
	a := new(Audit)
	seen := make(map[string]bool)
	if h.Last != nil {
		seen[h.Last.Key] = true
	}
	last := h.Serial
	for r, err := range t.records(ctx, h) {
		switch {
		case errors.Is(err, errNoRecord):
			a.Broken = append(a.Broken, fmt.Sprintf("the record before version %d is missing: %v", last, err))
		case errors.Is(err, state.ErrDamaged), errors.Is(err, state.ErrFormat):
			a.Broken = append(a.Broken, err.Error())
		case err != nil:
			return nil, err
		}
		if err != nil {
			last = 0
			break
		}
		last = r.Serial
		if want := h.Serial - uint64(len(a.Runs)); r.Serial != want {
			a.Broken = append(a.Broken, fmt.Sprintf("where version %d should be the chain has version %d", want, r.Serial))
		}
		a.Runs = append(a.Runs, r.public())
		a.Broken = append(a.Broken, t.continues(r)...)
		if r.Previous != nil {
			seen[r.Previous.Key] = true
		}
	}
	if last > 2 || last == 2 && len(a.Runs) == 0 || last == 1 && len(a.Runs) > 0 {
		a.Broken = append(a.Broken, fmt.Sprintf("the chain ends at version %d, and should at 2", last))
	}
	for item, err := range t.b.store.List(ctx, t.prefix+recordFolder) {
		if err != nil {
			return nil, err
		}
		if name := strings.TrimPrefix(item.Key, t.prefix); !seen[name] && len(a.Broken) == 0 {
			a.Loose = append(a.Loose, name)
		}
	}
	return a, nil
}

// continues says how a record does not fit the head that its run found.
func (t *Tenant) continues(r *runV1) []string {
	if len(r.Found) == 0 {
		if r.Previous != nil {
			return []string{fmt.Sprintf("version %d has a version before it, and found no head", r.Serial)}
		}
		return nil
	}
	found, err := decodeHead(t.headKey(), r.Found)
	if err == nil && found.line.method == methodSigned {
		err = t.seal.Load().signed(t.headKey(), found.line)
	}
	if err != nil {
		return []string{fmt.Sprintf("the head that version %d found: %v", r.Serial, err)}
	}
	if found.Lineage != r.Lineage || found.Serial >= r.Serial {
		return []string{fmt.Sprintf("version %d says that it found version %d of another or a later state", r.Serial, found.Serial)}
	}
	if found.Serial == r.Serial-1 && !equalRecord(found.Last, r.Previous) {
		return []string{fmt.Sprintf("version %d does not continue the head that its run found", r.Serial)}
	}
	return nil
}

func equalRecord(a, b *recordV1) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}
