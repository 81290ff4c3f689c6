package essentials

import (
	"net/http"
	"slices"
)

// defaultTagging is the object of /email-tagging with everything off; it also is the schema: names and types of what a
// body may hold.
func defaultTagging() map[string]any {
	return map[string]any{
		warningTags: map[string]any{
			"is_enabled":                false,
			"info_tags":                 map[string]any{"external_sender": false},
			"warning_tags":              map[string]any{"dmarc_failure": false, "domain_age_failure": false, "geo_ip_failure": false},
			"learn_more":                map[string]any{"is_enabled": false, "is_action_enabled": false},
			"additional_banner_content": map[string]any{"is_enabled": false, "content": ""},
		},
		"email_subject_tags": map[string]any{"is_enabled": false, "content": ""},
	}
}

// overlay returns schema with the values of over. over is the world's JSON; what the schema does not have is dropped.
func overlay(schema, over map[string]any) map[string]any {
	for name, v := range schema {
		o, ok := over[name]
		if !ok {
			continue
		}
		if sub, isObject := v.(map[string]any); isObject {
			if o, ok := o.(map[string]any); ok {
				schema[name] = overlay(sub, o)
			}
			continue
		}
		schema[name] = o
	}
	return schema
}

// decodeInto writes the body's values over into, checking name and type of each.
func decodeInto(f *fields, into map[string]any, path string) error {
	for name, v := range into {
		switch v := v.(type) {
		case map[string]any:
			if sub := f.object(name); sub != nil {
				if err := decodeInto(sub, v, path+name+"."); err != nil {
					f.fail(err)
				}
			}
		case bool:
			if f.boolean(name, &v) {
				into[name] = v
			}
		default:
			s, _ := v.(string)
			if f.str(name, &s) {
				into[name] = s
			}
		}
	}
	return f.done()
}

func getTagging(rq *request) (answer, error) {
	return answer{http.StatusOK, overlay(defaultTagging(), rq.org.Tagging)}, nil
}

// putTagging replaces: what the body leaves out is off. patchTagging merges.
func putTagging(rq *request) (answer, error) { return rq.writeTagging(defaultTagging()) }

func patchTagging(rq *request) (answer, error) {
	return rq.writeTagging(overlay(defaultTagging(), rq.org.Tagging))
}

// writeTagging checks the body over start and stores it. Switching warning tags on needs a package that has them.
func (rq *request) writeTagging(start map[string]any) (answer, error) {
	f, err := decodeObject(rq.body)
	if err != nil {
		return answer{}, err
	}
	if len(f.raw) == 0 {
		return answer{}, invalid("", "the body names no field")
	}
	if err := decodeInto(f, start, ""); err != nil {
		return answer{}, err
	}
	tags, _ := start[warningTags].(map[string]any)
	if on, _ := tags["is_enabled"].(bool); on && !featurePackages[warningTags](rq.org.Package) {
		return answer{}, fail(http.StatusForbidden, warningTags, "the feature %s is not part of the package %s", warningTags, rq.org.Package)
	}
	rq.org.Tagging = start
	return noContent, nil
}

func getTagExemptions(rq *request) (answer, error) {
	return answer{http.StatusOK, map[string]any{"exemptions": list(rq.org.TagExempt)}}, nil
}

// addTagExemptions adds; entries are senders: addresses or domains.
func addTagExemptions(rq *request) (answer, error) {
	sent, err := decodeTagExemptions(rq.body)
	if err != nil {
		return answer{}, err
	}
	rq.org.TagExempt = addSorted(rq.org.TagExempt, sent)
	return answer{http.StatusCreated, map[string]any{"exemptions": rq.org.TagExempt}}, nil
}

// deleteTagExemptions removes the entries that the body names. Without a body nothing is removed: clearing everything
// would be another reading of the vendor's summary, and a dangerous one (inferred).
func deleteTagExemptions(rq *request) (answer, error) {
	sent, err := decodeTagExemptions(rq.body)
	if err != nil {
		return answer{}, err
	}
	for _, e := range sent {
		if !slices.Contains(rq.org.TagExempt, e) {
			return answer{}, notFound("exemption", e)
		}
	}
	rq.org.TagExempt = slices.DeleteFunc(slices.Clone(rq.org.TagExempt), func(e string) bool { return slices.Contains(sent, e) })
	return noContent, nil
}

func decodeTagExemptions(body []byte) ([]string, error) {
	f, err := decodeObject(body)
	if err != nil {
		return nil, err
	}
	var in []string
	named := f.list("exemptions", &in)
	out := f.entries("exemptions", in)
	if err := f.done(); err != nil {
		return nil, err
	}
	if !named {
		return nil, invalid("", "exemptions is required")
	}
	return out, nil
}
