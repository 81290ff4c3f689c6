package cli

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// gcPercent is how far the heap may grow between two collections, in percent of what stays; GOGC overrides it. Go's own
	// 100 leaves as much room for garbage as a large tenant's people take, and those stay for the whole run.
	gcPercent = 75
	// comfortable is what the process may take before it collects more often than that, in bytes of Go's own account (the
	// program itself, some 60 MB, comes on top); GOMEMLIMIT overrides it. A tenant of 200,000 people stays near it.
	comfortable = 350 << 20
	// leastPercent is gcPercent for those who keep more than is comfortable. A limit that stood still would have the
	// collector run all the time.
	leastPercent = 33
)

// boundMemory sets the collector of the running process: memory is what a runner of CI has least of, and garbage that lies
// about until the heap has doubled is the larger part of it.
func boundMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		eachCollection(func() {
			metrics.Read(live)
			debug.SetMemoryLimit(memoryLimit(live[0].Value.Uint64()))
		})
		debug.SetMemoryLimit(comfortable)
	}
}

// memoryLimit is the limit for a process in which live bytes outlived the last collection.
func memoryLimit(live uint64) int64 {
	return max(comfortable, int64(live+live/100*leastPercent))
}

// eachCollection calls f after each collection, from one goroutine. What nobody refers to is found by the next one, which
// tells.
func eachCollection(f func()) {
	type sentinel struct{ _ *sentinel } // with a pointer, it does not share a block with other small values
	var arm func(*sentinel)
	arm = func(*sentinel) {
		runtime.SetFinalizer(&sentinel{}, arm)
		f()
	}
	runtime.SetFinalizer(&sentinel{}, arm)
}
