#!/usr/bin/env python3
"""The trees of the fan-out suite in asyncio: a task a leaf, TaskGroups in one another, a cancel of who hosts the first.

    fan_out_asyncio.py [--quick] [--filter REGEX] [--json FILE]

Rows and values are called as those of `./dev bench fanout`, and FILE is as Google Benchmark would write it. One thread
does everything, so that "spinning" says nothing here.
"""

import argparse
import asyncio
import gc
import json
import math
import platform
import re
import sys
import time
from dataclasses import dataclass, field

CANCELS = {1_000: 200, 10_000: 40, 100_000: 8}
SCENES = [
    ("flat", 1_000),
    ("flat", 10_000),
    ("flat", 100_000),
    ("wide", 10_000),
    ("wide", 100_000),
    ("deep", 1_000),
]


@dataclass
class Group:
    leaves: int
    groups: list["Group"] = field(default_factory=list)


def make_tree(shape, leaves):
    if shape == "flat":
        return Group(leaves)
    if shape == "wide":
        count = math.isqrt(leaves)
        return Group(0, [Group(leaves * (i + 1) // count - leaves * i // count) for i in range(count)])
    innermost = Group(1)
    for _ in range(leaves - 1):
        innermost = Group(1, [innermost])
    return innermost


class Crowd:
    """Leaves that wait for an event of their own, and when each was seen to go."""

    def __init__(self):
        self.waiting = 0
        self.observed = []

    async def leaf(self):
        self.waiting += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.observed.append(time.perf_counter_ns())

    async def group(self, tree):
        async with asyncio.TaskGroup() as tasks:
            for _ in range(tree.leaves):
                tasks.create_task(self.leaf())
            for each in tree.groups:
                tasks.create_task(self.group(each))


async def cancel_once(tree, leaves):
    """One cancel: nanoseconds until it returned, until each leaf went, and until all had been joined."""
    crowd = Crowd()
    host = asyncio.create_task(crowd.group(tree))
    while crowd.waiting != leaves:
        await asyncio.sleep(0)
    gc.collect()
    begun = time.perf_counter_ns()
    host.cancel()
    returned = time.perf_counter_ns()
    try:
        await host
    except asyncio.CancelledError:
        pass
    joined = time.perf_counter_ns()
    if len(crowd.observed) != leaves or min(crowd.observed) < begun:
        raise RuntimeError("not every leaf was let go by the cancel")
    return returned - begun, sorted(each - begun for each in crowd.observed), joined - begun


def percentile(of, percent):
    """The least that so many percent of all do not exceed."""
    return of[min(max(math.ceil(len(of) * percent / 100), 1), len(of)) - 1]


async def measure(shape, leaves, quick):
    tree = make_tree(shape, leaves)
    times = max(CANCELS[leaves] // (10 if quick else 1), 1)
    await cancel_once(tree, leaves)
    returned, observed, joined = zip(*[await cancel_once(tree, leaves) for _ in range(times)])

    def leaf(percent):
        return percentile(sorted(percentile(each, percent) for each in observed), 50)

    return {
        "observed_p50_ns": leaf(50),
        "observed_p99_ns": leaf(99),
        "observed_p999_ns": leaf(99.9),
        "observed_max_ns": leaf(100),
        "cancel_returns_p50_ns": percentile(sorted(returned), 50),
        "cancel_returns_p999_ns": percentile(sorted(returned), 99.9),
        "join_p50_ns": percentile(sorted(joined), 50),
        "cancels": times,
    }


def pattern(text):
    try:
        return re.compile(text)
    except re.error as wrong:
        raise argparse.ArgumentTypeError(f"'{text}' is no regular expression: {wrong}") from None


def row(name, repetition, repetitions, values):
    return {
        "name": name,
        "run_name": name,
        "run_type": "iteration",
        "repetitions": repetitions,
        "repetition_index": repetition,
        "threads": 1,
        "iterations": 1,
        "real_time": values["observed_p999_ns"],
        "cpu_time": 0,
        "time_unit": "ns",
        **values,
    }


def write(file, rows):
    context = {"executable": sys.argv[0], "compiler": "Python " + platform.python_version()}
    lines = ",\n".join("    " + json.dumps(each) for each in rows)
    file.write('{\n  "context": %s,\n  "benchmarks": [\n%s\n  ]\n}\n' % (json.dumps(context), lines))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    arguments.add_argument("--quick", action="store_true", help="each row once, and a tenth of the cancels")
    arguments.add_argument("--filter", type=pattern, default="", metavar="REGEX", help="only rows that match")
    arguments.add_argument("--json", type=argparse.FileType("w"), metavar="FILE", help="write the results to FILE too")
    given = arguments.parse_args()
    repetitions = 1 if given.quick else 3
    rows = []
    for repetition in range(repetitions):
        for shape, leaves in SCENES:
            name = f"fanout/asyncio/{shape}/{leaves}/event/spinning/worker/ordered/idle"
            if not given.filter.search(name):
                continue
            print(f"{name:65}", end=" ", flush=True)
            values = asyncio.run(measure(shape, leaves, given.quick))
            rows.append(row(name, repetition, repetitions, values))
            print(
                "p50 %10.1f us  p99.9 %10.1f us  join %10.1f us"
                % tuple(values[each] / 1e3 for each in ("observed_p50_ns", "observed_p999_ns", "join_p50_ns")),
                flush=True,
            )
    if given.json:
        write(given.json, rows)


if __name__ == "__main__":
    if sys.version_info < (3, 11):
        sys.exit("fan_out_asyncio.py: asyncio has task groups from Python 3.11 on, and this is " + platform.python_version())
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
