package graph

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// replica is the directory behind the writer: with Switches.GraphLag a new object is not found for some reads, then
// once found, once more not found (another replica), and from then on found. It counts reads of each object, so runs
// repeat. It is forgotten with the process. Safe for concurrent use.
type replica struct {
	mu    sync.Mutex
	reads map[string]int // reads so far of objects that are still settling
}

func newReplica() *replica { return &replica{reads: map[string]int{}} }

// created starts the lag of a new object.
func (r *replica) created(lag int, id string) {
	if lag <= 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reads[id] = 0
}

// sees counts a read of the object and tells whether this one finds it.
func (r *replica) sees(lag int, id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, settling := r.reads[id]
	if !settling {
		return true
	}
	n++
	if lag <= 0 || n > lag+2 {
		delete(r.reads, id)
		return true
	}
	r.reads[id] = n
	return n == lag+1
}

// sees tells whether this read finds the object yet.
func (x *request) sees(id string) bool { return x.s.lag.sees(x.w.Switches.GraphLag, id) }

// settle starts the replication lag of an object that this request made.
func (x *request) settle(id string) { x.s.lag.created(x.w.Switches.GraphLag, id) }

// bucket is the throttling of resource units per application and tenant ("Microsoft Graph service-specific throttling
// limits", identity and access). It runs on real time, because clients wait in real time. Safe for concurrent use.
type bucket struct {
	now func() time.Time
	mu  sync.Mutex
	by  map[string]*level
}

// level is the window of one application in one tenant.
type level struct {
	since time.Time
	spent int
}

// bucketWindow is the documented window of resource units.
const bucketWindow = 10 * time.Second

func newBucket(now func() time.Time) *bucket { return &bucket{now: now, by: map[string]*level{}} }

// budget is the documented number of resource units in 10 seconds, by the number of users in the tenant.
func budget(users int) int {
	switch {
	case users < 50:
		return 3500
	case users <= 500:
		return 5000
	}
	return 8000
}

// take pays for x or refuses it. Refused requests count as well, as documented.
func (b *bucket) take(x *request, units int) *fault {
	limit := x.w.Switches.GraphThrottle
	if limit == 0 {
		return nil
	}
	if limit < 0 {
		limit = budget(len(x.t.People))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	key := x.claims.AppID + "/" + x.t.ID
	l := b.by[key]
	now := b.now()
	if l == nil || now.Sub(l.since) >= bucketWindow {
		l = &level{since: now}
		b.by[key] = l
	}
	l.spent += units
	if l.spent <= limit {
		return nil
	}
	wait := int(math.Ceil(bucketWindow.Seconds() - now.Sub(l.since).Seconds()))
	return &fault{status: http.StatusTooManyRequests, code: "TooManyRequests",
		message: "Too Many Requests: the resource unit limit of this application in this tenant is used up.",
		header: http.Header{
			"Retry-After":                    {strconv.Itoa(max(1, wait))},
			"X-Ms-Throttle-Scope":            {fmt.Sprintf("Tenant_Application/ReadWrite/%s/%s", x.claims.AppID, x.t.ID)},
			"X-Ms-Throttle-Information":      {"ResourceUnitLimitExceeded"},
			"X-Ms-Throttle-Limit-Percentage": {strconv.FormatFloat(min(1.8, float64(l.spent)/float64(limit)), 'f', 1, 64)},
		}}
}
