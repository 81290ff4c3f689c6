package essentials

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/weir-project/weir/providers/sim/world"
)

// reportPeriods are the periods that the vendor's description names, and the words that its parameter text names.
var reportPeriods = map[string]string{"1d": "1d", "7d": "7d", "30d": "30d", "daily": "1d", "weekly": "7d", "monthly": "30d"}

// getReport answers totals of zero: no mail passes through the simulator.
func getReport(rq *request) (answer, error) {
	period, ok := reportPeriods[strings.ToLower(rq.params["period"])]
	if !ok {
		return answer{}, fail(http.StatusBadRequest, rq.params["period"], "the period must be 1d, 7d or 30d")
	}
	frequency := "24hr"
	if period == "1d" {
		frequency = "1h"
	}
	body := map[string]any{"period": period, "frequency": frequency}
	switch direction := strings.ToLower(rq.params["direction"]); direction {
	case "":
		body["inbound"], body["outbound"] = noMail(), noMail()
	case "inbound", "outbound":
		body[direction] = noMail()
	default:
		return answer{}, fail(http.StatusBadRequest, rq.params["direction"], "the direction must be inbound or outbound")
	}
	return answer{http.StatusOK, body}, nil
}

func noMail() map[string]any {
	out := map[string]any{}
	for _, m := range []string{"attachment_defended", "blocklist", "clean", "image_blocked", "spam", "virus", "fraud", "safelist"} {
		out[m+"_total"], out[m] = 0, map[string]int{}
	}
	return out
}

const maxPageSize = 50000

func getPartnerStats(rq *request) (answer, error) {
	return rq.partnerStats([]*world.Organization{rq.org})
}

func listPartnerStats(rq *request) (answer, error) {
	return rq.partnerStats(append([]*world.Organization{rq.org}, rq.w.Children(rq.org.EID)...))
}

// partnerStats pages over the organizations: the only paged reads of the API.
func (rq *request) partnerStats(orgs []*world.Organization) (answer, error) {
	query := rq.http.URL.Query()
	for name := range query {
		switch name {
		case "page", "page_size", "period", "format":
		default:
			return answer{}, fail(http.StatusBadRequest, name, "unknown query parameter %s", name)
		}
	}
	page, err := positive(query.Get("page"), 1, "page")
	if err != nil {
		return answer{}, err
	}
	size, err := positive(query.Get("page_size"), 1000, "page_size")
	if err != nil {
		return answer{}, err
	}
	if size > maxPageSize {
		return answer{}, fail(http.StatusBadRequest, "page_size", "page_size must be at most %d", maxPageSize)
	}
	switch query.Get("format") {
	case "", "bymetric", "byperiod":
	default:
		return answer{}, fail(http.StatusBadRequest, "format", "format must be bymetric or byperiod")
	}
	switch query.Get("period") {
	case "", "1d", "7d", "30d", "90d":
	default:
		return answer{}, fail(http.StatusBadRequest, "period", "period must be 1d, 7d, 30d or 90d")
	}
	last := max(1, (len(orgs)+size-1)/size)
	from, to := len(orgs), len(orgs)
	if page <= last { // a later page is empty
		from, to = (page-1)*size, min(page*size, len(orgs))
	}
	data := []any{}
	for _, o := range orgs[from:to] {
		data = append(data, statsOf(rq.w, o, query.Get("format") == "byperiod"))
	}
	path := "https://" + rq.org.Stack + ".proofpointessentials.com" + rq.http.URL.Path
	link := func(n int) string { return fmt.Sprintf("%s?page=%d", path, n) }
	var next any
	if page < last {
		next = link(page + 1)
	}
	return answer{http.StatusOK, map[string]any{
		"data": data, "total": len(orgs), "current_page": page, "last_page": last, "path": path, "first_page_url": link(1),
		"next_page_url": next, "last_page_url": link(last), "from": min(from+1, len(orgs)), "to": to, "per_page": size,
	}}, nil
}

func positive(text string, missing int, name string) (int, error) {
	if text == "" {
		return missing, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1<<30 {
		return 0, fail(http.StatusBadRequest, name, "%s must be a positive number", name)
	}
	return n, nil
}

var statMetrics = []string{"ib_total", "ob_total", "ib_blocked", "ob_blocked", "active_users", "ib_spam", "ib_virus", "ib_mal_att",
	"ib_imposter", "ib_phish", "ob_enc"}

var statPeriods = []string{"count_1d", "count_7d", "count_30d", "count_90d"}

// statsOf counts no mail, and hence no users with mail.
func statsOf(w *world.World, o *world.Organization, byPeriod bool) map[string]any {
	out := map[string]any{"eid": o.EID, "name": o.Name, "organization_hierarchy": hierarchy(w, o)}
	outer, inner := statMetrics, statPeriods
	if byPeriod {
		outer, inner = statPeriods, statMetrics
	}
	for _, a := range outer {
		counts := map[string]int{}
		for _, b := range inner {
			counts[b] = 0
		}
		out[a] = counts
	}
	return out
}
