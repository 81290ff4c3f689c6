package state

import (
	"time"

	"github.com/zclconf/go-cty/cty"
)

// Applied is what the last apply of a tenant went by that is no object of it, so that
// a directory sync can go by the same. The zero value knows nothing.
type Applied struct {
	// Safeguard are the limits of the root's safeguard block, which fill in for what a
	// sync policy leaves out; cty.NilVal when there was no such block.
	Safeguard cty.Value
	// Known says that Safeguard is what the last apply went by; a state that was
	// written before this was remembered does not know it.
	Known bool
	// Synced is when a run that wrote anyway had carried out everything that the
	// directory asked for; zero when none did. Whatever waits now came up later.
	Synced time.Time
}

// Equal reports whether both say the same.
func (a Applied) Equal(b Applied) bool {
	none, other := a.Safeguard == cty.NilVal, b.Safeguard == cty.NilVal
	same := none && other || !none && !other && a.Safeguard.RawEquals(b.Safeguard)
	return same && a.Known == b.Known && a.Synced.Equal(b.Synced)
}
