#!/usr/bin/env python3
"""Runs Cairn, its peers and the limit in turn, row by row, and reports medians and ratios.

A ratio is the peer's time over Cairn's. The share of the limit is the limit's time over Cairn's.
The programs and what the rows are: bench/README.md.
"""

import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

import report
from goals import GOALS, GROWTH, MEMORY

HERE = pathlib.Path(__file__).resolve().parent
START_ROWS = ("start", "start_memory", "compile")


class Programs:
    """The programs of a build tree, and how to call them."""

    def __init__(self, tree):
        self.folder = tree / "bench"
        self.paths = {"cairn": self.folder / "cairn", "limit": self.folder / "limits"}
        for peer in ("libtorch", "dlib"):
            path = self.folder / "peers" / peer
            if path.exists():
                self.paths[peer] = path
        # OpenBLAS would take kernels from these variables instead of those for this machine.
        ignored = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_NUM_THREADS")
        self.environment = {k: v for k, v in os.environ.items() if k not in ignored}
        self.rows = {who: self._list(who) for who in self.paths}

    def _list(self, who):
        return set(self.call(who, "--list").splitlines())

    def call(self, who, *words, preload=None):
        environment = dict(self.environment)
        if preload:
            environment["LD_PRELOAD"] = str(preload)
        command = [str(self.paths[who]), *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"error: {' '.join(command)} failed:\n{done.stderr}")
        return done.stdout.strip()

    def who_has(self, row):
        return [who for who in self.paths if row in self.rows[who]]


def seconds_of(command, environment):
    """The processor seconds of a program that runs to its end, and the last line it prints."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"error: {' '.join(command)} failed:\n{done.stderr}")
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, (done.stdout.splitlines() or [""])[-1]


class Measurement:
    """All figures of one run: figures[row, threads][who] is a list with one figure a round."""

    def __init__(self, programs, rounds):
        self.programs = programs
        self.rounds = rounds
        self.figures = {}

    def row(self, row, threads):
        if row in START_ROWS:
            figures = self.start_row(row)
        else:
            # Growth is compared with smaller sizes of the same work, not with a peer.
            who_all = ["cairn"] if row in growing() else self.programs.who_has(row)
            figures = {who: [] for who in who_all}
            for _ in range(self.rounds):
                for who, values in figures.items():
                    values.append(float(self.programs.call(who, row, str(threads))))
        self.figures[row, threads] = figures
        return figures

    def start_row(self, row):
        who_all = [w for w in ("cairn", "libtorch") if w in self.programs.paths]
        figures = {who: [] for who in who_all}
        for _ in range(3 if row == "compile" else 3 * self.rounds):
            for who in who_all:
                if row == "compile":
                    command = self.programs.call(who, "--compile-command").splitlines()
                else:
                    command = [str(self.programs.paths[who]), "--one-gradient"]
                seconds, last = seconds_of(command, self.programs.environment)
                figures[who].append(float(last) if row == "start_memory" else seconds)
        return figures

    def memory(self, row):
        """The heap's bytes at the peak of one run of a row, in Cairn and in libtorch."""
        heap = self.programs.folder / "libheap.so"
        who_all = [w for w in self.programs.who_has(row) if w in ("cairn", "libtorch")]
        return {who: int(self.programs.call(who, "--memory", row, preload=heap)) for who in who_all}


def growing():
    return [f"{name}_{n}" for name, (sizes, _) in GROWTH.items() for n in sizes]


def versions(programs):
    about = {who: programs.call(who, "--about") for who in programs.paths}
    about["limit"] = f"OpenBLAS core {about['limit']}"
    return about


def machine(measurement):
    """The rates of this machine, in GFLOP/s and GB/s, by number of threads."""
    rates = {}
    for (row, threads), figures in measurement.figures.items():
        if row in ("fma_rate", "bandwidth"):
            rates[f"{row}_{threads}"] = 1e-9 / statistics.median(figures["limit"])
    return rates


def main():
    parser = argparse.ArgumentParser(description=__doc__, prog="./dev bench")
    parser.add_argument("rows", nargs="*", metavar="NAME", help="rows to run; the default is all")
    parser.add_argument("--tree", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=5, help="how often the programs take turns")
    parser.add_argument("--threads", type=int, nargs="+", default=None,
                        help="numbers of threads; the default is 1 and 2, if there are 2 cores")
    parser.add_argument("--update", action="store_true",
                        help="write the table and the chart into README.md and docs/")
    options = parser.parse_args()

    programs = Programs(options.tree)
    rows = [*GOALS, *START_ROWS, "fma_rate", "bandwidth", *growing()]
    unknown = [row for row in options.rows if row not in rows]
    if unknown:
        sys.exit(f"error: no such row: {' '.join(unknown)}; the rows are: {' '.join(rows)}")
    if options.update and options.rows:
        sys.exit("error: --update needs a run of all rows")
    if "libtorch" not in programs.paths:
        print("libtorch could not be set up, so Cairn runs beside its limits alone.\n")
    cores = len(os.sched_getaffinity(0))
    threads = options.threads or [n for n in (1, 2) if n <= cores]

    about = versions(programs)
    for text in about.values():
        print(text)
    measurement = Measurement(programs, options.rounds)
    begin = time.monotonic()
    for n in threads:
        wanted = options.rows or rows
        if n != threads[0]:  # the others say nothing about threads
            wanted = [r for r in wanted if r not in START_ROWS and r not in growing()]
        print(f"\n{n} thread{'s' if n > 1 else ''}\n{report.heading()}")
        for row in wanted:
            figures = measurement.row(row, n)
            print(report.line(row, figures, GOALS.get(row) if n == 1 else None), flush=True)

    memory = {row: measurement.memory(row) for row in MEMORY if row in (options.rows or rows)}
    results = {"about": about, "machine": machine(measurement), "memory": memory,
               "figures": {f"{row} {n}": f for (row, n), f in measurement.figures.items()}}
    report.summary(results)
    print(f"\n{time.monotonic() - begin:.0f} s")
    folder = options.tree.parent / "bench"
    folder.mkdir(exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    report.chart(results, folder / "chart.svg")
    print(f"figures and chart: {folder}/results.json, {folder}/chart.svg")
    if options.update:
        report.update(results, HERE.parent, folder / "chart.svg")


if __name__ == "__main__":
    main()
