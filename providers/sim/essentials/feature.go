package essentials

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-project/weir/providers/sim/world"
)

// packages in ascending order.
var packages = []string{"beginner", "business", "business_plus", "advanced", "advanced_plus", "professional", "professional_plus"}

// featurePackages says in which packages a feature exists. anti_spoofing … automatic_remediation and the packages of
// one_click_remediation (R67) and dlp are documented by the vendor; the packages of the rest are inferred.
var featurePackages = map[string]func(pkg string) bool{
	"anti_spoofing":                   func(string) bool { return true },
	"disclaimers":                     func(string) bool { return true },
	"smtp_discovery":                  func(string) bool { return true },
	"outbound_relaying":               func(string) bool { return true },
	instantReplay:                     func(string) bool { return true },
	"url_defense":                     atLeast("business"),
	"attachment_defense":              atLeast("business"),
	"dlp":                             atLeast("business"),
	"attachment_defense_sandboxing":   atLeast("advanced"),
	"email_encryption":                atLeast("advanced"),
	"social_media_account_protection": atLeast("advanced"),
	"email_archive":                   atLeast("professional"),
	"one_click_remediation":           func(pkg string) bool { return strings.HasSuffix(pkg, "_plus") },
	warningTags:                       func(pkg string) bool { return pkg == "advanced_plus" || pkg == "professional_plus" },
	"automatic_remediation":           func(pkg string) bool { return pkg == "advanced_plus" || pkg == "professional_plus" },
}

const (
	instantReplay = "instant_replay" // a number of days, 0 is off
	warningTags   = "email_warning_tags"
)

func atLeast(lowest string) func(string) bool {
	return func(pkg string) bool { return slices.Index(packages, pkg) >= slices.Index(packages, lowest) }
}

// defaultFeatures are the features of a new organization: every key of the package, all off (inferred).
func defaultFeatures(pkg string) map[string]any {
	out := map[string]any{}
	for name, in := range featurePackages {
		switch {
		case !in(pkg):
		case name == instantReplay:
			out[name] = 0
		default:
			out[name] = false
		}
	}
	return out
}

// repackage moves an organization to another package: features outside it are lost, new ones start switched off.
func repackage(o *world.Organization, pkg string) {
	features := defaultFeatures(pkg)
	for name := range features {
		if v, ok := o.Features[name]; ok {
			features[name] = v
		}
	}
	o.Package, o.Features = pkg, features
}

// getFeatures answers the keys of the package: an absent key means "not in this package", not false.
func getFeatures(rq *request) (answer, error) {
	out := defaultFeatures(rq.org.Package)
	for name := range out {
		if v, ok := rq.org.Features[name]; ok && v != nil {
			out[name] = v
		}
		if rq.w.Switches.FeaturesAsStrings {
			raw, err := json.Marshal(out[name])
			if err != nil {
				return answer{}, fail(http.StatusInternalServerError, name, "the world holds no feature value: %v", err)
			}
			out[name] = strings.Trim(string(raw), `"`)
		}
	}
	return answer{http.StatusOK, out}, nil
}

// putFeatures merges (seen in clients: one sends a single key, another all). A feature outside the package is 403.
func putFeatures(rq *request) (answer, error) {
	f, err := decodeObject(rq.body)
	if err != nil {
		return answer{}, err
	}
	merged := defaultFeatures(rq.org.Package)
	for name := range merged {
		if v, ok := rq.org.Features[name]; ok && v != nil {
			merged[name] = v
		}
	}
	for name := range f.raw {
		in, known := featurePackages[name]
		if !known {
			continue // done reports it
		}
		if !in(rq.org.Package) {
			return answer{}, fail(http.StatusForbidden, name, "the feature %s is not part of the package %s", name, rq.org.Package)
		}
		if name == instantReplay {
			var days int
			if f.number(name, &days) {
				if days < 0 {
					return answer{}, invalid(name, "%s must be a number of days, %s is not", name, strconv.Itoa(days))
				}
				merged[name] = days
			}
			continue
		}
		var on bool
		if f.boolean(name, &on) {
			merged[name] = on
		}
	}
	if err := f.done(); err != nil {
		return answer{}, err
	}
	rq.org.Features = merged
	return noContent, nil
}
