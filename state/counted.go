package state

// countRemovals adds the removals that are not yet counted: an outcome may be
// recorded again when an operation in doubt is settled.
func (s *State) countRemovals(more []Removal) {
	if len(more) == 0 {
		return
	}
	s.counted.learn(s.Removals)
	for _, r := range more {
		if s.counted.add(r) {
			s.Removals = append(s.Removals, r)
		}
	}
	s.counted.list = s.Removals
}

// counted knows which removals a list has, so that replaying a journal looks none of
// them up one by one. The zero value knows an empty list.
type counted struct {
	list []Removal // the list that it knows
	keys map[removalKey]struct{}
}

// removalKey is what makes two removals the same one, whenever they were recorded.
type removalKey struct {
	op, mail string
	kind     RemovalKind
}

// learn knows the list from then on. One that it knows costs nothing.
func (c *counted) learn(list []Removal) {
	if len(list) == len(c.list) && (len(list) == 0 || &list[0] == &c.list[0]) {
		return
	}
	c.list, c.keys = list, make(map[removalKey]struct{}, len(list))
	for _, r := range list {
		c.add(r)
	}
}

// add reports whether r is new, and knows it from then on.
func (c *counted) add(r Removal) bool {
	key := removalKey{r.Op, r.Mail, r.Kind}
	if _, known := c.keys[key]; known {
		return false
	}
	if c.keys == nil {
		c.keys = map[removalKey]struct{}{}
	}
	c.keys[key] = struct{}{}
	return true
}
