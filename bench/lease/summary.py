"""What is printed last: failures first, what is left, and the table of expectations.

A terminal or a log may keep the end of an output alone, so that all of it stays below a length.
"""

from __future__ import annotations

from collections.abc import Sequence

from lease.entries import Book, Entry
from lease.expected import table
from lease.jobs import Stage

MOST = 12_000  # characters
TOLD, LENGTH = 24, 260  # failures that are told, and how much of each
FACTS = ("device", "torch", "pyvae", "driver_version,clocks.sm,clocks.mem,power.limit", "date")


def left(book: Book, stages: Sequence[Stage]) -> list[str]:
    """The stages with a job that has not come to its end."""
    return [
        stage.name for stage in stages if {job.name for job in stage.jobs} - book.ended(stage.name)
    ]


def failed(entries: Sequence[Entry]) -> list[Entry]:
    """What went wrong; a job's own failure only where it names none of its parts."""
    parts = {(e["stage"], e["job"]) for e in entries if "failed" in e and e["key"] != "end"}
    return [
        entry
        for entry in entries
        if "failed" in entry
        and not (entry["key"] == "end" and (entry["stage"], entry["job"]) in parts)
    ]


def failures(entries: Sequence[Entry]) -> list[str]:
    found = failed(entries)
    if not found:
        return ["no failure"]
    lines = [f"{len(found)} FAILED"]
    for entry in found[:TOLD]:
        text = " ".join(str(entry["failed"]).split())[:LENGTH]
        lines.append(f"- {entry['job']}: {entry['key']}: {text}")
    if len(found) > TOLD:
        lines.append(f"- and {len(found) - TOLD} more: see entries.jsonl")
    return lines


def course(entries: Sequence[Entry], stages: Sequence[Stage]) -> list[str]:
    """One line for each stage: its jobs, how they ended, and how much each told."""
    lines = []
    for stage in stages:
        jobs = []
        for job in stage.jobs:
            own = [e for e in entries if (e["stage"], e["job"]) == (stage.name, job.name)]
            ends = [e for e in own if e["key"] in ("end", "cut")]
            told = len(own) - len(ends)
            how = ends[-1] if ends else {"status": "not begun"}
            taken = f", {how['seconds']:.0f} s" if "seconds" in how else ""
            jobs.append(f"{job.name} {how['status']} ({told} told{taken})")
        lines.append(f"{stage.name}: " + "; ".join(jobs))
    return lines


def measured(entries: Sequence[Entry]) -> list[str]:
    """Races, steps and kernels, a line each."""
    lines = []
    for e in entries:
        if e["stage"] == "races" and "times_us" in e:
            times = {name: f"{t['median']:.0f}" for name, t in e["times_us"].items()}
            ratios = {n: f"{e['ratio'][n]:.2f}x" for n in ("eager", "compile") if n in e["ratio"]}
            launches = e["launches"].get("pyvae", "-")
            lines.append(
                f"{e['key']}: {times['pyvae']} us, {100 * e['of_copy']:.0f} % of a copy, eager "
                f"{ratios.get('eager', '-')}, compile {ratios.get('compile', '-')}, "
                f"{launches} launches"
            )
        elif e["stage"] == "steps" and "tax" in e:
            taxes = ", ".join(f"{name} {100 * tax:.1f} %" for name, tax in e["tax"].items())
            alone = e["times_us"]["networks"]["median"]
            lines.append(f"{e['key']}: networks {alone:.0f} us; loss adds: {taxes}")
        elif e["stage"] == "profiles" and "registers" in e:
            facts = {k: v for k, v in e.items() if k not in ("stage", "job", "key")}
            lines.append(f"{e['key'][:90]}: " + ", ".join(f"{k} {v}" for k, v in facts.items()))
    return lines


def summary(book: Book, stages: Sequence[Stage], seconds: float) -> tuple[str, bool]:
    """The text, and whether all ran and nothing failed."""
    entries = book.latest()
    facts = next((e for e in reversed(entries) if e["key"] == "facts"), {})
    waiting = left(book, stages)
    head = [
        f"pyvae on a GPU, {seconds:.0f} s: " + ", ".join(str(facts.get(k, "-")) for k in FACTS),
        *failures(entries),
        f"LEFT: {' '.join(waiting)} (the same command runs them)" if waiting else "nothing is left",
        *course(entries, stages),
    ]
    text = "\n".join([*head, "", table(entries), "", *measured(entries)])
    if len(text) > MOST:
        text = text[: MOST - 40].rpartition("\n")[0] + "\n(the rest is in entries.jsonl)"
    return text, not waiting and not failed(entries)
