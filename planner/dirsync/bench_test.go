package dirsync

import (
	"fmt"
	"testing"

	"github.com/weir-project/weir/providers/directory"
)

// crowd is a tenant of n people with two aliases each; with managed, all have accounts and records in agreement.
func crowd(n int, managed bool) Request {
	f := newFixture()
	f.req.Policy.Safeguard.MaxAdditions = n + 1
	for i := range n {
		name := fmt.Sprintf("person%07d", i)
		aliases := []string{name + ".a", name + ".b@c.org"}
		if managed {
			p := f.person(name, aliases...)
			p.a.UID, p.k.UID = i+1, i+1
		} else {
			f.entry(name, directory.User, aliases...)
		}
	}
	return f.request()
}

func benchmark(b *testing.B, n int, req Request, decisions int) {
	b.ReportAllocs()
	for b.Loop() {
		res := Decide(req)
		if len(res.Decisions) != decisions {
			b.Fatalf("%d decisions, want %d", len(res.Decisions), decisions)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/entry")
}

func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{50_000, 200_000} {
		b.Run(fmt.Sprintf("nothing to do/%d", n), func(b *testing.B) { benchmark(b, n, crowd(n, true), 0) })
		b.Run(fmt.Sprintf("first run/%d", n), func(b *testing.B) { benchmark(b, n, crowd(n, false), n) })
		b.Run(fmt.Sprintf("adopt all/%d", n), func(b *testing.B) {
			req := crowd(n, true)
			req.Known = nil
			benchmark(b, n, req, 0)
		})
		b.Run(fmt.Sprintf("all leave/%d", n), func(b *testing.B) {
			req := crowd(n, true)
			d := *req.Directory
			d.Entries = []*directory.Entry{{ObjectID: "o-x", Kind: directory.Guest, Address: "x@c.com"}, d.Entries[len(d.Entries)-1]}
			req.Directory = &d
			benchmark(b, n, req, n)
		})
		b.Run(fmt.Sprintf("predicate/%d", n), func(b *testing.B) {
			req := crowd(n, true)
			req.Policy.Include = notKitchen()
			benchmark(b, n, req, 0)
		})
	}
}
