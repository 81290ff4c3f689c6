package world

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// Now returns the world's present. It takes the read lock; a caller that already holds the lock reads Clock instead.
func (w *World) Now() time.Time {
	w.RLock()
	defer w.RUnlock()
	return w.Clock
}

// Advance moves the clock forward by d, at least one second when d is positive, and returns the new present. A negative
// d is refused: nothing in the simulation knows how to undo time. It takes the lock.
func (w *World) Advance(d time.Duration) (time.Time, error) {
	if d < 0 {
		return time.Time{}, fmt.Errorf("the clock cannot go back by %v: give a positive duration", -d)
	}
	w.Lock()
	defer w.Unlock()
	w.Clock = w.Clock.Add(d)
	return w.Clock, nil
}

// SetClock moves the clock forward to t. A t before the present is refused. It takes the lock.
func (w *World) SetClock(t time.Time) error {
	w.Lock()
	defer w.Unlock()
	if t.Before(w.Clock) {
		return fmt.Errorf("the clock cannot go back from %s to %s", w.Clock.Format(time.RFC3339), t.Format(time.RFC3339))
	}
	w.Clock = t.UTC()
	return nil
}

// Touch bumps Revision and returns it: the number to write into Changed of the directory object that changed. The
// caller holds Lock.
func (w *World) Touch() uint64 {
	w.Revision++
	return w.Revision
}

// NewGUID returns a fresh lower-case GUID. It depends on the world's ID and on how many were handed out before, so two
// runs of the same calls see the same ids. The caller holds Lock.
func (w *World) NewGUID() string {
	w.NextGUID++
	return guid(w.ID, "guid", w.NextGUID)
}

// NewHex returns 2·n fresh hexadecimal digits, repeatable as NewGUID is; n is at most 32. The caller holds Lock.
func (w *World) NewHex(n int) string {
	w.NextGUID++
	sum := digest(w.ID, "hex", w.NextGUID)
	return hex.EncodeToString(sum[:n])
}

// NewSecret returns a fresh secret value that scans can recognise: CANARY-<what>-<32 hex digits>. The caller holds Lock.
func (w *World) NewSecret(what string) string {
	return "CANARY-" + what + "-" + w.NewHex(16)
}

// NewUID hands out the next Essentials user id. The caller holds Lock.
func (w *World) NewUID() int {
	w.NextUID++
	return w.NextUID - 1
}

// NewEID hands out the next Essentials organization id. The caller holds Lock.
func (w *World) NewEID() int {
	w.NextEID++
	return w.NextEID - 1
}

func digest(id, purpose string, n uint64) [32]byte {
	b := make([]byte, 0, len(id)+len(purpose)+10)
	b = append(b, id...)
	b = append(b, 0)
	b = append(b, purpose...)
	b = append(b, 0)
	b = binary.BigEndian.AppendUint64(b, n)
	return sha256.Sum256(b)
}

func guid(id, purpose string, n uint64) string {
	s := digest(id, purpose, n)
	s[6] = s[6]&0x0f | 0x40
	s[8] = s[8]&0x3f | 0x80
	return hex.EncodeToString(s[0:4]) + "-" + hex.EncodeToString(s[4:6]) + "-" + hex.EncodeToString(s[6:8]) + "-" +
		hex.EncodeToString(s[8:10]) + "-" + hex.EncodeToString(s[10:16])
}

// hex40 returns the forty hexadecimal digits that belong to a name in a world.
func hex40(id, name string) string {
	sum := digest(id, "name\x00"+name, 0)
	return hex.EncodeToString(sum[:20])
}
