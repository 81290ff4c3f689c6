package essentials

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// senders reads the sender lists of an organization or user body. The older spellings count when the newer are absent.
// A blocked sender that is in the safe list is ignored: the vendor's description.
func senders(f *fields, allow, block *[]string) {
	for _, l := range []struct {
		names [2]string
		dst   *[]string
	}{{[2]string{"white_list_senders", "safe_list_senders"}, allow}, {[2]string{"black_list_senders", "block_list_senders"}, block}} {
		for _, name := range l.names { // the newer spelling is read last and wins
			var entries []string
			if f.list(name, &entries) {
				*l.dst = f.entries(name, entries)
			}
		}
	}
	*block = slices.DeleteFunc(slices.Clone(*block), func(e string) bool { return slices.Contains(*allow, e) })
}

// entries normalises sender list entries: addresses, domains, *@domain, IP addresses, networks, wildcards.
func (f *fields) entries(name string, in []string) []string {
	out := make([]string, 0, len(in))
	for _, e := range in {
		e = strings.ToLower(strings.TrimSpace(e))
		if e == "" || len(e) > 254 || strings.ContainsAny(e, " \t\r\n,;<>\"\x00") {
			f.fail(invalid(e, "%s: %q is no sender", name, e))
			continue
		}
		if !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	return out
}

// senderLists is one pair of lists. Missing lists encode as empty ones.
type senderLists struct {
	Allow []string `json:"allow_list"`
	Block []string `json:"block_list"`
}

// A senderTarget finds the pair that the path names: that of the organization, of a user or of a group.
type senderTarget func(*request) (read senderLists, write func(senderLists), err error)

func organizationSenders(rq *request) (senderLists, func(senderLists), error) {
	o := rq.org
	return senderLists{o.Allow, o.Block}, func(l senderLists) { o.Allow, o.Block = l.Allow, l.Block }, nil
}

func userSenders(rq *request) (senderLists, func(senderLists), error) {
	u, err := rq.account()
	if err != nil {
		return senderLists{}, nil, err
	}
	return senderLists{u.Allow, u.Block}, func(l senderLists) { u.Allow, u.Block = l.Allow, l.Block }, nil
}

// groupSenders takes any identifier: no operation lists groups, and nothing public says what identifies one.
func groupSenders(rq *request) (senderLists, func(senderLists), error) {
	o, id := rq.org, strings.ToLower(rq.params["group"])
	var present senderLists
	// The world holds what a JSON file may have held, so the value is read through JSON.
	if raw, err := json.Marshal(o.GroupLists[id]); err == nil {
		if err := json.Unmarshal(raw, &present); err != nil {
			present = senderLists{}
		}
	}
	return present, func(l senderLists) {
		if o.GroupLists == nil {
			o.GroupLists = map[string]any{}
		}
		o.GroupLists[id] = map[string]any{"allow_list": l.Allow, "block_list": l.Block}
	}, nil
}

func getSenders(target senderTarget) func(*request) (answer, error) {
	return func(rq *request) (answer, error) {
		l, _, err := target(rq)
		if err != nil {
			return answer{}, err
		}
		return answer{http.StatusOK, senderLists{list(l.Allow), list(l.Block)}}, nil
	}
}

// changeSenders reads a body with one or both lists and applies change to each that was named.
func changeSenders(target senderTarget, change func(name string, present, sent []string) ([]string, error)) func(*request) (answer, error) {
	return func(rq *request) (answer, error) {
		present, write, err := target(rq)
		if err != nil {
			return answer{}, err
		}
		f, err := decodeObject(rq.body)
		if err != nil {
			return answer{}, err
		}
		var sent senderLists
		named := []struct {
			name    string
			dst     *[]string
			sent    []string
			present bool
		}{{name: "allow_list", dst: &present.Allow}, {name: "block_list", dst: &present.Block}}
		named[0].present = f.list("allow_list", &sent.Allow)
		named[1].present = f.list("block_list", &sent.Block)
		named[0].sent, named[1].sent = f.entries("allow_list", sent.Allow), f.entries("block_list", sent.Block)
		if err := f.done(); err != nil {
			return answer{}, err
		}
		if !named[0].present && !named[1].present {
			return answer{}, invalid("", "allow_list or block_list is required")
		}
		for _, l := range named {
			if !l.present {
				continue
			}
			if *l.dst, err = change(l.name, *l.dst, l.sent); err != nil {
				return answer{}, err
			}
		}
		write(present)
		return noContent, nil
	}
}

// POST adds; an entry that is there already is 409 "conflict, already exists".
func addSenders(name string, present, sent []string) ([]string, error) {
	for _, e := range sent {
		if slices.Contains(present, e) {
			return nil, conflict(e, "%s already has this entry", name)
		}
	}
	return append(slices.Clone(present), sent...), nil
}

// PATCH replaces the lists it names (seen in clients).
func replaceSenders(_ string, _, sent []string) ([]string, error) { return sent, nil }

// DELETE removes the entries named; one that is not there is 404 "not found, does not exist".
func removeSenders(name string, present, sent []string) ([]string, error) {
	for _, e := range sent {
		if !slices.Contains(present, e) {
			return nil, fail(http.StatusNotFound, e, "%s has no such entry", name)
		}
	}
	return slices.DeleteFunc(slices.Clone(present), func(e string) bool { return slices.Contains(sent, e) }), nil
}
