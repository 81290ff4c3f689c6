package cache

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// Shelf is where generations lie: create-only objects under names of one segment, as private as the state beside them.
type Shelf interface {
	// List gives the names of all objects, in any order, those of others among them.
	List(ctx context.Context) ([]string, error)
	// Get returns an object's bytes.
	Get(ctx context.Context, name string) ([]byte, error)
	// Put creates an object; it is an error if there is one of that name.
	Put(ctx context.Context, name string, body []byte) error
	// Remove deletes an object; none there is no error.
	Remove(ctx context.Context, name string) error
}

// ErrNoShelf is what a Shelf returns that cannot hold anything yet, such as that of a tenant without state. Nothing is
// kept, and nobody needs to be told.
var ErrNoShelf = errors.New("there is no place yet to keep a directory in")

// Names are "directory-SERIAL-NONCE" for a manifest and "directory-SERIAL-NONCE-NUMBER" for a part. A generation that goes
// on from another has its serial plus one: names are told apart without any clock.
var namePattern = regexp.MustCompile(`^directory-([0-9]{10})-([0-9a-f]{16})(-[0-9]{4})?$`)

// parseName takes a name apart; ok is false for objects that are none of ours.
func parseName(name string) (serial uint64, part, ok bool) {
	m := namePattern.FindStringSubmatch(name)
	if m == nil {
		return 0, false, false
	}
	serial, err := strconv.ParseUint(m[1], 10, 64)
	return serial, m[3] != "", err == nil
}

func manifestName(serial uint64, nonce string) string {
	return fmt.Sprintf("directory-%010d-%s", serial, nonce)
}

func partName(manifest string, number int) string { return fmt.Sprintf("%s-%04d", manifest, number) }

// newest gives the name and serial of the newest manifest; "" when there is none.
func newest(names []string) (name string, serial uint64) {
	for _, n := range names {
		s, part, ok := parseName(n)
		if ok && !part && (name == "" || s > serial || s == serial && n > name) {
			name, serial = n, s
		}
	}
	return name, serial
}

// Keep is how many generations stay: the newest, and the one before it for a run that is just reading it.
const Keep = 2

// Forget removes every generation: what is kept are the names and addresses of people. It returns how many objects went.
func Forget(ctx context.Context, s Shelf) (int, error) {
	names, err := s.List(ctx)
	if errors.Is(err, ErrNoShelf) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	removed := 0
	for _, parts := range []bool{false, true} { // manifests first: none ever names a part that is gone
		for _, name := range names {
			if _, part, ok := parseName(name); !ok || part != parts {
				continue
			}
			if err := s.Remove(ctx, name); err != nil {
				return removed, err
			}
			removed++
		}
	}
	return removed, nil
}

// Collect removes generations older than the newest Keep, and parts that none of those names. Removing is not needed for
// anything to be right. It returns how many objects went. With dry nothing is removed.
func Collect(ctx context.Context, s Shelf, dry bool) (int, error) {
	names, err := s.List(ctx)
	if err != nil {
		return 0, err
	}
	_, last := newest(names)
	if last < Keep {
		return 0, nil
	}
	oldest := last - Keep + 1
	needed := map[string]bool{}
	for _, name := range names {
		serial, part, ok := parseName(name)
		if !ok || part || serial < oldest {
			continue
		}
		body, err := s.Get(ctx, name)
		if err != nil {
			return 0, err
		}
		m, err := decodeManifest(body)
		if err != nil {
			continue // damaged: nobody can go on from it, so it needs nothing
		}
		for _, p := range m.parts() {
			needed[p.Name] = true
		}
	}
	// A run that is writing now writes under a serial not older than the newest, and names parts that the newest names.
	removed := 0
	slices.Sort(names)
	for _, name := range names {
		serial, _, ok := parseName(name)
		if !ok || serial >= oldest || needed[name] {
			continue
		}
		if !dry {
			if err := s.Remove(ctx, name); err != nil {
				return removed, err
			}
		}
		removed++
	}
	return removed, nil
}
