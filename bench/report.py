"""Prints the figures of run.py, draws them, and writes them into README.md and docs/."""

import re
import shutil
import statistics
import subprocess

from goals import FLOPS, GOALS, GROWTH, MEMORY

UNITS = ((1, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))


def duration(seconds):
    scale, unit = next((u for u in UNITS if seconds >= u[0]), UNITS[-1])
    return f"{seconds / scale:.3g} {unit}"


def median(figures, who):
    return statistics.median(figures[who]) if figures.get(who) else None


def ratio(figures, who):
    """The time of `who` over Cairn's, or None if one of them was not measured."""
    ours, theirs = median(figures, "cairn"), median(figures, who)
    return theirs / ours if ours and theirs else None


def spread(values):
    """Half the range of the middle values over their median, in percent."""
    ordered = sorted(values)[len(values) // 4 : (3 * len(values) + 3) // 4]
    return 50 * (ordered[-1] - ordered[0]) / statistics.median(values)


def passes(goal, figures):
    """Does a row reach its goal? None if libtorch was not measured."""
    peer, limit, dlib = (ratio(figures, who) for who in ("libtorch", "limit", "dlib"))
    if peer is None:
        return None
    reached = peer >= goal.ratio or (limit is not None and limit >= goal.share)
    if limit is not None:
        reached = reached and limit >= goal.least_share
    if dlib is not None:
        reached = reached and dlib > goal.dlib
    return reached


def heading():
    return (f"{'':<28} {'cairn':>9} {'spread':>6} {'libtorch':>9} {'ratio':>6} {'goal':>5} "
            f"{'limit':>9} {'share':>6}  {'dlib':>9} {'ratio':>6}")


def line(row, figures, goal=None):
    if row in ("fma_rate", "bandwidth"):
        rate = 1e-9 / statistics.median(figures["limit"])
        return f"{row:<28} {rate:9.1f} {'GFLOP/s' if row == 'fma_rate' else 'GB/s'}"
    show = (lambda b: f"{b / 1e6:.3g} MB") if row == "start_memory" else duration
    cell = lambda who: show(median(figures, who)) if figures.get(who) else ""
    times = lambda who: f"{ratio(figures, who):.2f}" if ratio(figures, who) else ""
    share = f"{100 * ratio(figures, 'limit'):.0f} %" if ratio(figures, "limit") else ""
    text = (f"{row:<28} {cell('cairn'):>9} {spread(figures['cairn']):4.0f} % "
            f"{cell('libtorch'):>9} {times('libtorch'):>6} {goal.ratio if goal else '':>5} "
            f"{cell('limit'):>9} {share:>6}  {cell('dlib'):>9} {times('dlib'):>6}")
    if goal and passes(goal, figures) is not None:
        text += "  yes" if passes(goal, figures) else "  NO"
    return text.rstrip()


def summary(results):
    figures = results["figures"]
    judged = {row: passes(goal, figures[f"{row} 1"])
              for row, goal in GOALS.items() if f"{row} 1" in figures}
    if judged and None not in judged.values():
        print(f"\n{sum(judged.values())} of {len(judged)} rows reach their goal at one thread")

    for name, (sizes, allowed) in GROWTH.items():
        units = {n: median(figures[f"{name}_{n} 1"], "cairn")
                 for n in sizes if f"{name}_{n} 1" in figures}
        if len(units) < 2:
            continue
        least = units[min(units)]
        worst = max(cost / least for cost in units.values())
        verdict = "yes" if worst <= allowed else "NO"
        print(f"growth of {name}: " + ", ".join(f"{duration(c)} at {n}" for n, c in units.items())
              + f": at most {worst:.2f} times the first, allowed {allowed}: {verdict}")

    for row, bytes_of in results["memory"].items():
        units = MEMORY[row]
        text = ", ".join(f"{who} {size / units:,.0f}" for who, size in bytes_of.items())
        print(f"heap of {row}, bytes{' a unit' if units > 1 else ''} at the peak: {text}")

    for key, rate in results["machine"].items():
        kind, threads = key.rsplit("_", 1)
        for row, flops in FLOPS.items():
            if kind == "fma_rate" and f"{row} {threads}" in figures:
                reached = flops * 1e-9 / median(figures[f"{row} {threads}"], "cairn")
                rate_of_all = rate * int(threads)
                print(f"{row} at {threads} thread(s): {reached:.0f} GFLOP/s, "
                      f"{100 * reached / rate_of_all:.0f} % of the machine's multiply-add rate")
                if reached < 0.7 * rate_of_all:
                    print("WARNING: OpenBLAS may have chosen poor kernels for this machine: "
                          f"{results['about']['limit']}")


def chart(results, path):
    """Draws each row's ratio to libtorch with gnuplot, if both are there."""
    rows = [(row, ratio(results["figures"][f"{row} 1"], "libtorch"))
            for row in GOALS if f"{row} 1" in results["figures"]]
    rows = [(row, r) for row, r in rows if r]
    if not rows or shutil.which("gnuplot") is None:
        return
    data = "\n".join(f'{i} {r:.3f} "{row}"' for i, (row, r) in enumerate(reversed(rows)))
    script = f"""set terminal svg size 760,{60 + 20 * len(rows)} font 'sans,11' background 'white'
set output '{path}'
set title "libtorch's time over Cairn's, one thread"
set logscale x
set xrange [0.5:64]
set yrange [-0.7:{len(rows) - 0.3}]
set xtics (0.5, 1, 2, 4, 8, 16, 32, 64)
set grid x
set border 3
set key off
set lmargin 30
set arrow from 1, graph 0 to 1, graph 1 nohead lw 1.5 lc rgb '#333333' front
set style fill solid noborder
$rows << EOD
{data}
EOD
plot $rows using (1):1:(0.5):2:($1-0.35):($1+0.35):ytic(3) with boxxyerror lc rgb '#4477aa'
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def markdown(results):
    figures = results["figures"]
    lines = ["| row | Cairn | libtorch | ratio | share of the limit | ratio at 2 threads |",
             "|---|---|---|---|---|---|"]
    for row in GOALS:
        f, two = figures[f"{row} 1"], figures.get(f"{row} 2", {})
        of_two = ratio(two, "libtorch")
        lines.append(f"| `{row}` | {duration(median(f, 'cairn'))} | "
                     f"{duration(median(f, 'libtorch'))} | {ratio(f, 'libtorch'):.2f} | "
                     f"{100 * ratio(f, 'limit'):.0f} % | {f'{of_two:.2f}' if of_two else ''} |")
    versions = "; ".join(v for who, v in results["about"].items() if who != "limit")
    return "\n".join([*lines, "", f"Measured with {versions}."])


def write_between(path, name, text):
    """Replaces what stands between the two comments of this name."""
    marked = re.compile(rf"(<!-- {name}: begin[^>]*-->\n).*?(<!-- {name}: end -->)", re.DOTALL)
    before = path.read_text()
    after, count = marked.subn(lambda m: m[1] + text + "\n" + m[2], before)
    if count != 1:
        raise SystemExit(f"error: {path} has no place for the figures of {name}")
    path.write_text(after)


def update(results, project, drawn):
    figures = results["figures"]
    write_between(project / "docs" / "performance.md", "bench", markdown(results))
    shutil.copy(drawn, project / "docs" / "bench.svg")
    names = {
        "simple_step": "a whole training step of SimpleModel, batch of 32",
        "simple_infer": "SimpleModel in eval(), batch of 32",
        "mlp_m_bn": "a step of 784-1024-1024-10 with batch norm, batch of 256",
        "bn2d_32x64x56x56_train_fb": "BatchNorm2d of 32 x 64 x 56 x 56, forward and backward",
        "scalar_chain_1000": "1,000 scalar multiplications and their backward",
        "compile": "compiling a file that only includes the header",
        "start": "running a program that prints one gradient",
        "start_memory": "the peak memory of that program",
    }
    lines = ["| | Cairn | libtorch | ratio |", "|---|---|---|---|"]
    for row, text in names.items():
        f = figures[f"{row} 1"]
        show = (lambda b: f"{b / 1e6:.3g} MB") if row == "start_memory" else duration
        lines.append(f"| {text} | {show(median(f, 'cairn'))} | {show(median(f, 'libtorch'))} | "
                     f"{ratio(f, 'libtorch'):.2g} |")
    write_between(project / "README.md", "bench", "\n".join(lines))
