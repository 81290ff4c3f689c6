package vendordata

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestLookup(t *testing.T) {
	for _, row := range []struct {
		stack, date string
		smart       string
		ranges      int
		err         string
	}{
		{"us1", "2026-11-01", "outbound-us1.ppe-hosted.com", 12, ""},
		{"us5", "", "outbound-us1.ppe-hosted.com", 12, ""},
		{"US3", "2030-01-01", "outbound-us1.ppe-hosted.com", 12, ""},
		{"eu1", "2026-11-01", "outbound-eu1.ppe-hosted.com", 7, ""},
		{"au1", "2026-11-01", "", 0, "no vendor data"},
		{"", "2026-11-01", "", 0, "no vendor data"},
		{"us1", "2020-01-01", "", 0, "before the first"},
		{"us1", "yesterday", "", 0, "no date"},
	} {
		t.Run(row.stack+" "+row.date, func(t *testing.T) {
			d, err := Lookup(row.stack, row.date)
			if row.err != "" {
				if err == nil || !strings.Contains(err.Error(), row.err) {
					t.Fatalf("error %v, want %q", err, row.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d.SmartHost != row.smart || len(d.DeliveryRanges) != row.ranges || d.Date != "2026-11-01" {
				t.Errorf("got %+v", d)
			}
			if want := "https://" + strings.ToLower(row.stack) + ".proofpointessentials.com"; d.ConsoleURL != want {
				t.Errorf("console %s, want %s", d.ConsoleURL, want)
			}
		})
	}
	if dates := Dates(); len(dates) == 0 || !slices.IsSorted(dates) {
		t.Errorf("dates %q", dates)
	}
}

func TestNewerRangesAreAddedAndOldOnesStay(t *testing.T) {
	make := func(date string, ranges ...string) file {
		return file{Format: 1, Date: date, Sources: []string{"x"}, Stacks: map[string]string{"us1": "us"},
			Regions: map[string]region{"us": {DeliveryRanges: ranges, MXHosts: []string{"m"}, SmartHost: "s", SPFInclude: "i"}}}
	}
	files := []file{make("2026-01-01", "192.0.2.0/24", "198.51.100.0/24"), make("2026-06-01", "192.0.2.0/25", "203.0.113.0/24")}
	d, err := lookup(files, "us1", "2026-03-01")
	if err != nil {
		t.Fatal(err)
	}
	// The half of a known network is covered already.
	if want := []string{"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"}; !slices.Equal(d.DeliveryRanges, want) {
		t.Errorf("pinned to the older date: %q, want %q", d.DeliveryRanges, want)
	}
	d, err = lookup(files, "us1", "2026-06-01")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"192.0.2.0/25", "203.0.113.0/24"}; !slices.Equal(d.DeliveryRanges, want) {
		t.Errorf("moved to the newer date: %q, want %q", d.DeliveryRanges, want)
	}
}

func TestRangesAreNetworks(t *testing.T) {
	for _, stack := range []string{"us1", "eu1"} {
		d, err := Lookup(stack, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range d.DeliveryRanges {
			if p, err := netip.ParsePrefix(r); err != nil || !p.Addr().Is4() {
				t.Errorf("%s: %s", stack, r)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	raw, err := embedded.ReadFile("2026-11-01.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"format":1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if got, err := parse(raw); err == nil {
			for stack := range got.Stacks {
				if _, err := lookup([]file{got}, stack, got.Date); err != nil && stack == strings.ToLower(stack) {
					t.Errorf("a file that parses does not answer for %q: %v", stack, err)
				}
			}
		}
	})
}
