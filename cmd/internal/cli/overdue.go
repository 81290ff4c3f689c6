package cli

import (
	"context"
	"slices"

	"github.com/weir-project/weir/planner"
)

// maxDated bounds how many leavers the directory is asked about: the oldest of more than that is old enough.
const maxDated = 20

// overdue finds the tenants whose directory changes wait longer than their policy lets them, so that nothing carries them
// out. It notes that in their parts and returns their keys. The date of a leaver is read from the directory; one that
// cannot be read says nothing.
func (w *workspace) overdue(ctx context.Context, p *planner.Plan) (map[string]bool, error) {
	out := map[string]bool{}
	units, err := w.units()
	if err != nil {
		return nil, err
	}
	for _, part := range p.Parts {
		if len(part.Waiting) == 0 {
			continue
		}
		i := slices.IndexFunc(units, func(u *unit) bool { return u.key == part.Tenant.Key })
		if i < 0 {
			continue
		}
		dated := slices.Clone(part.Waiting)
		asked := 0
		for k := range dated {
			if !dated[k].Since.IsZero() || asked == maxDated {
				continue
			}
			asked++
			connected, err := w.connect(units[i])
			if err != nil || connected.DeletedAt == nil {
				break
			}
			if at, err := connected.DeletedAt(ctx, dated[k].ObjectID); err == nil {
				dated[k].Since = at
			}
		}
		if text := part.Overdue(dated, w.around.now()); text != "" {
			part.Late = text
			out[part.Tenant.Key] = true
		}
	}
	return out, nil
}
