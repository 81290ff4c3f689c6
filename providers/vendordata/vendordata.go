package vendordata

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/netip"
	"sort"
	"strings"
	"sync"
	"time"
)

// Data is what is known of one stack.
type Data struct {
	// Date of the file that it comes from, "2026-11-01".
	Date string
	// DeliveryRanges are the networks that the gateway delivers from, CIDR, in the order of the file. They hold, beside
	// those of Date, the ranges that newer files add: a tenant locked down to the old list would refuse mail from the
	// new addresses. What newer files drop stays until Date moves.
	DeliveryRanges []string
	// ArchiveRanges are the addresses of the archive, which fetches journalled mail.
	ArchiveRanges []string
	// MXHosts are the mail exchangers of inbound domains, without final dot.
	MXHosts []string
	// SmartHost takes outbound mail at port 25.
	SmartHost string
	// SPFInclude is the name to include in SPF; SPFHosts are names that count as well, as "a:" mechanisms.
	SPFInclude string
	SPFHosts   []string
	// ConsoleURL is the portal, and the redirect URI of the sync application (R7).
	ConsoleURL string
}

//go:embed *.json
var embedded embed.FS

// file is the stored form, format 1.
type file struct {
	Format  int               `json:"format"`
	Date    string            `json:"date"`
	Sources []string          `json:"sources"`
	Regions map[string]region `json:"regions"`
	Stacks  map[string]string `json:"stacks"`
}

type region struct {
	DeliveryRanges []string `json:"delivery_ranges"`
	ArchiveRanges  []string `json:"archive_ranges"`
	MXHosts        []string `json:"mx_hosts"`
	SmartHost      string   `json:"smart_host"`
	SPFInclude     string   `json:"spf_include"`
	SPFHosts       []string `json:"spf_hosts"`
}

var load = sync.OnceValues(func() ([]file, error) { return read(embedded) })

// Lookup returns the data of a stack (us1 … us5, eu1) as of a date ("2026-11-01"; "" is the newest): those of the
// newest file that is not younger. An unknown stack, a date that is none and a date before the first file are errors. The
// caller owns the result.
func Lookup(stack, date string) (Data, error) {
	files, err := load()
	if err != nil {
		return Data{}, err
	}
	return lookup(files, stack, date)
}

// Dates are the dates of the files in the binary, oldest first.
func Dates() []string {
	files, err := load()
	if err != nil {
		return nil
	}
	out := make([]string, len(files))
	for i := range files {
		out[i] = files[i].Date
	}
	return out
}

func lookup(files []file, stack, date string) (Data, error) {
	if date == "" {
		date = files[len(files)-1].Date
	}
	if _, err := time.Parse(time.DateOnly, date); err != nil {
		return Data{}, fmt.Errorf("vendor_data %q is no date such as %s", date, files[len(files)-1].Date)
	}
	at := sort.Search(len(files), func(i int) bool { return files[i].Date > date }) - 1
	if at < 0 {
		return Data{}, fmt.Errorf("vendor_data %q is before the first known date, %s", date, files[0].Date)
	}
	f := &files[at]
	r, ok := f.Regions[f.Stacks[strings.ToLower(stack)]]
	if !ok {
		return Data{}, fmt.Errorf("no vendor data for stack %q; known are %s", stack, strings.Join(stacksOf(f), ", "))
	}
	d := Data{
		Date: f.Date, DeliveryRanges: append([]string(nil), r.DeliveryRanges...), ArchiveRanges: append([]string(nil), r.ArchiveRanges...),
		MXHosts: append([]string(nil), r.MXHosts...), SmartHost: r.SmartHost, SPFInclude: r.SPFInclude,
		SPFHosts: append([]string(nil), r.SPFHosts...), ConsoleURL: "https://" + strings.ToLower(stack) + ".proofpointessentials.com",
	}
	for i := at + 1; i < len(files); i++ {
		newer := files[i].Regions[files[i].Stacks[strings.ToLower(stack)]]
		for _, added := range newer.DeliveryRanges {
			if !covered(d.DeliveryRanges, added) {
				d.DeliveryRanges = append(d.DeliveryRanges, added)
			}
		}
	}
	return d, nil
}

// covered tells whether one of the ranges contains the network.
func covered(ranges []string, network string) bool {
	n, err := netip.ParsePrefix(network)
	if err != nil {
		return false
	}
	for _, r := range ranges {
		if p, err := netip.ParsePrefix(r); err == nil && p.Bits() <= n.Bits() && p.Contains(n.Addr()) {
			return true
		}
	}
	return false
}

func stacksOf(f *file) []string {
	var out []string
	for s := range f.Stacks {
		out = append(out, s)
	}
	sort.Strings(out)
	return out
}

// read reads and checks all files, oldest first.
func read(from fs.FS) ([]file, error) {
	names, err := fs.Glob(from, "*.json")
	if err != nil {
		return nil, err
	}
	sort.Strings(names)
	var out []file
	for _, name := range names {
		raw, err := fs.ReadFile(from, name)
		if err != nil {
			return nil, err
		}
		f, err := parse(raw)
		if err != nil {
			return nil, fmt.Errorf("vendor data %s: %w", name, err)
		}
		if name != f.Date+".json" {
			return nil, fmt.Errorf("vendor data %s: it is dated %q", name, f.Date)
		}
		out = append(out, f)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no vendor data in the binary")
	}
	return out, nil
}

func parse(raw []byte) (file, error) {
	var f file
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return f, err
	}
	if f.Format != 1 {
		return f, fmt.Errorf("format %d, this version reads 1", f.Format)
	}
	if _, err := time.Parse(time.DateOnly, f.Date); err != nil {
		return f, fmt.Errorf("date %q", f.Date)
	}
	if len(f.Sources) == 0 {
		return f, fmt.Errorf("no sources")
	}
	for stack, name := range f.Stacks {
		if _, ok := f.Regions[name]; !ok {
			return f, fmt.Errorf("stack %s is in the unknown region %q", stack, name)
		}
	}
	for name, r := range f.Regions {
		if len(r.DeliveryRanges) == 0 || len(r.MXHosts) == 0 || r.SmartHost == "" || r.SPFInclude == "" {
			return f, fmt.Errorf("region %s is incomplete", name)
		}
		for _, network := range r.DeliveryRanges {
			p, err := netip.ParsePrefix(network)
			if err != nil || p != p.Masked() {
				return f, fmt.Errorf("region %s: %q is no network", name, network)
			}
		}
		for _, address := range r.ArchiveRanges {
			if _, err := netip.ParseAddr(address); err != nil {
				return f, fmt.Errorf("region %s: %q is no address", name, address)
			}
		}
	}
	return f, nil
}
