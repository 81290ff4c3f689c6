package state

import (
	"fmt"
	"strconv"
	"testing"
)

// large is a state of 200,000 accounts as they really are: hard to compress.
func large() *State {
	s := New("lineage", Live, TenantMeta{Key: "contoso"}, nil)
	for i := range 200_000 {
		h := (&State{VersionKey: []byte("k")}).VersionOf(fmt.Append(nil, i))
		s.Accounts.Put(&Account{
			Address: fmt.Sprintf("first.last%06d@contoso.com", i), UID: 1_000_000 + i,
			ObjectID: h[5:13] + "-" + h[13:17] + "-" + h[17:21] + "-" + h[21:25] + "-" + h[25:37],
			Policy:   "sync_policy.people", Hash: h[37:], Ownership: Created, Type: "end_user", Active: true,
			Aliases: []string{fmt.Sprintf("fl%06d@contoso.com", i)},
		})
	}
	return s
}

func BenchmarkEncode200000(b *testing.B) {
	s := large()
	b.ReportAllocs()
	for b.Loop() {
		parts, err := Encode(s)
		if err != nil {
			b.Fatal(err)
		}
		size := 0
		for _, p := range parts {
			size += len(p)
		}
		b.ReportMetric(float64(size), "stored-B")
	}
}

func BenchmarkDecode200000(b *testing.B) {
	parts, err := Encode(large())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(parts); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCountRemovals200000 is what a journal of 200,000 removals, one an outcome, costs when it is replayed.
func BenchmarkCountRemovals200000(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		s := &State{}
		for i := range 200_000 {
			op := strconv.Itoa(i)
			s.countRemovals([]Removal{{Mail: op, Kind: RemovalDelete, Op: op}})
		}
	}
}
