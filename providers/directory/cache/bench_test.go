package cache

import (
	"fmt"
	"testing"
)

// BenchmarkLarge writes and loads a directory of 200,000 people, and goes on from it after one change.
func BenchmarkLarge(b *testing.B) {
	const people = 200_000
	m := newMemory()
	d := sample(people)
	c := of(m)
	write := func(b *testing.B, d *Directory) {
		if err := c.Begin(b.Context(), d).Finish(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("write", func(b *testing.B) {
		for range b.N {
			for _, list := range []*Collection{d.Users, d.Groups, d.Contacts} {
				clear(list.parts)
			}
			write(b, d)
		}
	})
	size := 0
	for _, body := range m.objects {
		size += len(body)
	}
	b.Run("load", func(b *testing.B) {
		b.ReportAllocs()
		b.ReportMetric(float64(size)/(1<<20)/Keep, "MiB-stored")
		for range b.N {
			if got := load(b, m).Users.Len(); got != people {
				b.Fatalf("%d people", got)
			}
		}
	})
	b.Run("one change", func(b *testing.B) {
		loaded := load(b, m)
		b.ResetTimer()
		for i := range b.N {
			changed := *loaded.Users.Get(idOf(7))
			changed.Name = fmt.Sprint("Name ", i)
			loaded.Users.Put(&changed)
			write(b, loaded)
		}
	})
}
