// The trees of the fan-out suite in Go: a goroutine a leaf, a context a group, and a WaitGroup to join it.
//
//	fan_out_go [-quick] [-filter REGEX] [-json FILE]
//
// Rows and values are called as those of `./dev bench fanout`, and FILE is as Google Benchmark would write it. Go's
// scheduler decides whether its idle threads search or sleep, so that "spinning" says nothing here.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"regexp"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type scene struct {
	shape   string
	leaves  int
	cancels int
}

var scenes = []scene{
	{"flat", 1_000, 200},
	{"flat", 10_000, 40},
	{"flat", 100_000, 8},
	{"wide", 10_000, 40},
	{"wide", 100_000, 8},
	{"deep", 1_000, 200},
}

type group struct {
	firstLeaf, leaves int
	groups            []*group
}

func makeTree(shape string, leaves int) *group {
	switch shape {
	case "flat":
		return &group{leaves: leaves}
	case "wide":
		count := int(math.Sqrt(float64(leaves)))
		all := &group{}
		for i := 0; i < count; i++ {
			first, next := leaves*i/count, leaves*(i+1)/count
			all.groups = append(all.groups, &group{firstLeaf: first, leaves: next - first})
		}
		return all
	}
	innermost := &group{firstLeaf: leaves - 1, leaves: 1}
	for i := leaves - 2; i >= 0; i-- {
		innermost = &group{firstLeaf: i, leaves: 1, groups: []*group{innermost}}
	}
	return innermost
}

var start = time.Now()

func now() int64 { return int64(time.Since(start)) }

// Leaves that wait for an event of their own, and when each was seen to go.
type crowd struct {
	waiting  int64
	observed []int64
}

func (all *crowd) leaf(ctx context.Context, which int) {
	defer func() { all.observed[which] = now() }()
	event := make(chan struct{})
	atomic.AddInt64(&all.waiting, 1)
	select {
	case <-event:
	case <-ctx.Done():
	}
}

// Returns when everything in it has.
func (all *crowd) group(outer context.Context, tree *group) {
	ctx, cancel := context.WithCancel(outer)
	defer cancel()
	var joined sync.WaitGroup
	joined.Add(tree.leaves + len(tree.groups))
	for i := 0; i < tree.leaves; i++ {
		go func(which int) {
			defer joined.Done()
			all.leaf(ctx, which)
		}(tree.firstLeaf + i)
	}
	for _, each := range tree.groups {
		go func(inner *group) {
			defer joined.Done()
			all.group(ctx, inner)
		}(each)
	}
	joined.Wait()
}

// One cancel's times, in nanoseconds.
type fanOut struct {
	returned, joined float64
	observed         []float64 // Sorted.
}

func cancelOnce(tree *group, leaves int) fanOut {
	all := &crowd{observed: make([]int64, leaves)}
	ctx, cancel := context.WithCancel(context.Background())
	joined := make(chan struct{})
	go func() {
		defer close(joined)
		all.group(ctx, tree)
	}()
	for atomic.LoadInt64(&all.waiting) != int64(leaves) {
		time.Sleep(time.Millisecond)
	}
	runtime.GC() // By its end all have come to rest.
	begun := now()
	cancel()
	returned := now()
	<-joined
	one := fanOut{float64(returned - begun), float64(now() - begun), make([]float64, leaves)}
	for i, each := range all.observed {
		if each < begun {
			panic("a leaf was not let go by the cancel")
		}
		one.observed[i] = float64(each - begun)
	}
	sort.Float64s(one.observed)
	return one
}

// The least that so many percent of all do not exceed.
func percentile(sorted []float64, percent float64) float64 {
	rank := int(math.Ceil(float64(len(sorted)) * percent / 100))
	if rank < 1 {
		rank = 1
	}
	return sorted[rank-1]
}

// Of one value of each, the percentile over all.
func over(all []fanOut, value func(fanOut) float64, percent float64) float64 {
	values := make([]float64, len(all))
	for i, each := range all {
		values[i] = value(each)
	}
	sort.Float64s(values)
	return percentile(values, percent)
}

type row struct {
	Name            string  `json:"name"`
	RunName         string  `json:"run_name"`
	RunType         string  `json:"run_type"`
	Repetitions     int     `json:"repetitions"`
	RepetitionIndex int     `json:"repetition_index"`
	Threads         int     `json:"threads"`
	Iterations      int     `json:"iterations"`
	RealTime        float64 `json:"real_time"`
	CPUTime         float64 `json:"cpu_time"`
	TimeUnit        string  `json:"time_unit"`
	ObservedP50     float64 `json:"observed_p50_ns"`
	ObservedP99     float64 `json:"observed_p99_ns"`
	ObservedP999    float64 `json:"observed_p999_ns"`
	ObservedMax     float64 `json:"observed_max_ns"`
	ReturnsP50      float64 `json:"cancel_returns_p50_ns"`
	ReturnsP999     float64 `json:"cancel_returns_p999_ns"`
	JoinP50         float64 `json:"join_p50_ns"`
	Cancels         int     `json:"cancels"`
}

func measure(at scene, quick bool) row {
	times := at.cancels
	if quick {
		times = (times + 9) / 10
	}
	tree := makeTree(at.shape, at.leaves)
	cancelOnce(tree, at.leaves)
	var all []fanOut
	for i := 0; i < times; i++ {
		all = append(all, cancelOnce(tree, at.leaves))
	}
	observed := func(percent float64) float64 {
		return over(all, func(one fanOut) float64 { return percentile(one.observed, percent) }, 50)
	}
	returned := func(one fanOut) float64 { return one.returned }
	return row{
		RunType: "iteration", Threads: 1, Iterations: 1, TimeUnit: "ns", RealTime: observed(99.9),
		ObservedP50: observed(50), ObservedP99: observed(99), ObservedP999: observed(99.9), ObservedMax: observed(100),
		ReturnsP50: over(all, returned, 50), ReturnsP999: over(all, returned, 99.9),
		JoinP50: over(all, func(one fanOut) float64 { return one.joined }, 50), Cancels: times,
	}
}

func write(file *os.File, rows []row) error {
	var lines []string
	for _, each := range rows {
		line, err := json.Marshal(each)
		if err != nil {
			return err
		}
		lines = append(lines, "    "+string(line))
	}
	text := fmt.Sprintf("{\n  \"context\": {\"executable\": %q, \"compiler\": %q},\n  \"benchmarks\": [\n%s\n  ]\n}\n",
		os.Args[0], runtime.Version(), strings.Join(lines, ",\n"))
	_, err := file.WriteString(text)
	return err
}

func fail(why error) {
	fmt.Fprintln(os.Stderr, "fan_out_go:", why)
	os.Exit(2)
}

func main() {
	quick := flag.Bool("quick", false, "each row once, and a tenth of the cancels")
	only := flag.String("filter", "", "only rows that match this `REGEX`")
	name := flag.String("json", "", "write the results to `FILE` too")
	flag.Parse()
	if flag.NArg() != 0 {
		fail(fmt.Errorf("'%s' is unknown; -help says more", flag.Arg(0)))
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		fail(err)
	}
	var file *os.File
	if *name != "" {
		if file, err = os.Create(*name); err != nil {
			fail(err)
		}
	}
	runtime.GOMAXPROCS(2) // As many workers as the others have.
	repetitions := 3
	if *quick {
		repetitions = 1
	}
	var rows []row
	for repetition := 0; repetition < repetitions; repetition++ {
		for _, each := range scenes {
			name := fmt.Sprintf("fanout/go/%s/%d/event/spinning/worker/ordered/idle", each.shape, each.leaves)
			if !wanted.MatchString(name) {
				continue
			}
			fmt.Printf("%-65s ", name)
			one := measure(each, *quick)
			one.Name, one.RunName = name, name
			one.Repetitions, one.RepetitionIndex = repetitions, repetition
			rows = append(rows, one)
			fmt.Printf("p50 %10.1f us  p99.9 %10.1f us  join %10.1f us\n",
				one.ObservedP50/1e3, one.ObservedP999/1e3, one.JoinP50/1e3)
		}
	}
	if file != nil {
		if err := write(file, rows); err != nil {
			fail(err)
		}
	}
}
