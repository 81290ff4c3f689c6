package planner

import (
	"maps"
	"time"

	"github.com/weir-project/weir/planner/dirsync"
)

// decideSelected decides again when something is held and the run's selections leave accounts out: what is not applied counts
// towards no limit, and so holds nobody else.
func (p *Part) decideSelected(req *Request, request dirsync.Request) {
	if len(req.Targets)+len(req.Excludes) == 0 || len(p.Accounts.Held) == 0 {
		return
	}
	left := map[string]dirsync.Action{}
	for i := range p.Accounts.Decisions {
		if d := &p.Accounts.Decisions[i]; !p.selected(req, *d) {
			left[d.Address] = d.Action
		}
	}
	if len(left) == 0 {
		return
	}
	skips := maps.Clone(request.Skips)
	if skips == nil {
		skips = map[string]time.Time{}
	}
	for address := range left {
		if _, already := skips[address]; !already {
			skips[address] = time.Time{}
		}
	}
	request.Skips, p.unselected = skips, left
	p.Accounts = dirsync.Decide(request)
}
