package world

import (
	"encoding/json"
	"fmt"
	"strings"
)

// recordTypes are what an edit can set in a zone.
var recordTypes = []string{"txt", "mx", "cname", "a", "failing"}

// editZone sets records of one name of a zone; null or an empty list removes them. A zone that does not exist is made.
func (w *World) editZone(e edit) error {
	apex, err := e.text("zone")
	if err != nil {
		return err
	}
	apex = strings.TrimSuffix(lower(apex), ".")
	name := apex
	if e["name"] != nil {
		if name, err = e.text("name"); err != nil {
			return err
		}
		name = strings.TrimSuffix(lower(name), ".")
	}
	if apex == "" || name != apex && !strings.HasSuffix(name, "."+apex) {
		return fmt.Errorf("name %q is not in the zone %q", name, apex)
	}
	z := w.Zones[apex]
	if z == nil {
		z = &Zone{}
	}
	done := false
	for _, kind := range recordTypes {
		raw, ok := e[kind]
		if !ok {
			continue
		}
		delete(e, kind)
		done = true
		switch kind {
		case "txt":
			err = records(&z.TXT, name, raw)
		case "mx":
			err = records(&z.MX, name, raw)
		case "a":
			err = records(&z.A, name, raw)
		case "failing":
			err = decode(raw, &z.Failing)
		case "cname":
			var target string
			err = decode(raw, &target)
			if z.CNAME == nil {
				z.CNAME = map[string]string{}
			}
			z.CNAME[name] = target
			if target == "" {
				delete(z.CNAME, name)
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	if !done {
		return unknown("record type", firstKey(e), recordTypes)
	}
	w.Zones[apex] = z
	return nil
}

func records[T any](m *map[string][]T, name string, raw json.RawMessage) error {
	var list []T
	if err := decode(raw, &list); err != nil {
		return err
	}
	if *m == nil {
		*m = map[string][]T{}
	}
	(*m)[name] = list
	if len(list) == 0 {
		delete(*m, name)
	}
	return nil
}
