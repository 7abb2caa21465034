"""What a first session should find, so that it is a comparison.

``docs/cuda.md`` has the same table.

    python -m lease.expected [OUT/entries.jsonl]

prints the table, with what was measured where a file of entries is given.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lease.entries import Book, Entry

Measure = Callable[[Sequence[Entry]], float | None]


@dataclass(frozen=True)
class Expected:
    """A number, and the least or the most that it should be.

    Attributes:
        why: where the expectation comes from
    """

    what: str
    measure: Measure
    why: str
    least: float | None = None
    most: float | None = None
    unit: str = ""

    def wanted(self) -> str:
        bound = self.least if self.least is not None else self.most
        sign = ">=" if self.least is not None else "<="
        return f"{bound:g}{self.unit}" if bound == 0 else f"{sign} {bound:g}{self.unit}"

    def met(self, value: float) -> bool:
        if self.least is not None:
            return value >= self.least
        return self.most is None or value <= self.most


def failures(stage: str, job: str) -> Measure:
    """How many things went wrong, once all jobs of that name have ended."""

    def measure(entries: Sequence[Entry]) -> float | None:
        of_job = [e for e in entries if e["stage"] == stage and e["job"].startswith(job)]
        ends = [e for e in of_job if e["key"] == "end"]
        if not ends or any(e["status"].startswith("skipped") for e in ends):
            return None
        said = [e for e in of_job if e["key"] != "end" and "failed" in e]
        return len(said) or sum("failed" in e for e in ends)

    return measure


def raced(op: str, dtype: str, of: Callable[[Entry], float | None]) -> Measure:
    def measure(entries: Sequence[Entry]) -> float | None:
        for e in entries:
            words = e["key"].split()
            if e["stage"] == "races" and words[0] == op and words[-1] == dtype and "ratio" in e:
                return of(e)
        return None

    return measure


def of_copy(entry: Entry) -> float:
    return 100 * float(entry["of_copy"])


def versus_compile(entry: Entry) -> float | None:
    ratio: float | None = entry["ratio"].get("compile")
    return ratio


def loss_tax(setting: str, variant: str) -> Measure:
    """Percent of a step in a CUDA graph."""

    def measure(entries: Sequence[Entry]) -> float | None:
        for e in entries:
            name = e["key"]
            if e["stage"] == "steps" and name.startswith(setting) and name.endswith("graph"):
                tax = e.get("tax", {}).get(variant)
                return None if tax is None else 100 * tax
        return None

    return measure


def profiled(kernel: str, metric: str) -> Measure:
    """Of the first kernel whose name holds these words."""

    def measure(entries: Sequence[Entry]) -> float | None:
        for e in entries:
            if e["stage"] == "profiles" and all(word in e["key"] for word in kernel.split()):
                value = e.get(metric)
                return value if isinstance(value, float) else None
        return None

    return measure


BERNOULLI, GAUSSIAN = "bernoulli_log_prob", "gaussian_log_prob"
ZINB = "zero_inflated_negative_binomial_log_prob"
PIXELS, MIXTURE = "discretized_logistic_mixture_log_prob", "gaussian_mixture_log_prob"
STREAMS = "{} reads and writes of each number, arithmetic in their shadow"

EXPECTED = (
    Expected(
        "ops that differ from the CPU, in 4 dtypes and 4 layouts",
        failures("compare", "compare"),
        "the executor finds none",
        most=0,
    ),
    Expected("device tests that fail", failures("checks", "tests"), "as above", most=0),
    Expected("errors by memcheck", failures("checks", "memcheck"), "address sanitizer", most=0),
    Expected("errors by synccheck", failures("checks", "synccheck"), "the executor", most=0),
    Expected("errors by racecheck", failures("checks", "racecheck"), "two thread orders", most=0),
    Expected(
        "Bernoulli, float32: of a copy's bandwidth",
        raced(BERNOULLI, "float32", of_copy),
        STREAMS.format(3) + ": 0.09 of 0.21 ms",
        least=85,
        unit=" %",
    ),
    Expected(
        "Bernoulli, bfloat16: of a copy's bandwidth",
        raced(BERNOULLI, "bfloat16", of_copy),
        "3 reads and writes of each number; half the bytes of float32, the same arithmetic",
        least=70,
        unit=" %",
    ),
    Expected(
        "Gaussian, float32: of a copy's bandwidth",
        raced(GAUSSIAN, "float32", of_copy),
        STREAMS.format(8),
        least=85,
        unit=" %",
    ),
    Expected(
        "ELBO, float32: of a copy's bandwidth",
        raced("elbo_loss", "float32", of_copy),
        STREAMS.format(3),
        least=85,
        unit=" %",
    ),
    Expected(
        "zero-inflated counts, float32: of a copy's bandwidth",
        raced(ZINB, "float32", of_copy),
        "535 instructions a number, once: 0.95 ms, beside 0.35 of memory",
        least=35,
        unit=" %",
    ),
    Expected(
        "Bernoulli, float32: times as fast as compiled",
        raced(BERNOULLI, "float32", versus_compile),
        "compiled code reads twice: 5 streams of memory for 3",
        least=1.5,
    ),
    Expected(
        "zero-inflated counts: times as fast as compiled",
        raced(ZINB, "float32", versus_compile),
        "each function of a gamma is evaluated once",
        least=2,
    ),
    Expected(
        "mixture of logistics: times as fast as compiled",
        raced(PIXELS, "float32", versus_compile),
        "compiled code writes its intermediates, ours none",
        least=5,
    ),
    Expected(
        "mixture of Gaussians: times as fast as compiled",
        raced(MIXTURE, "float32", versus_compile),
        "as above",
        least=5,
    ),
    *(
        Expected(
            f"{name}: what the loss adds to a step in a CUDA graph",
            loss_tax(name, variant),
            "bytes of the loss beside those of the networks",
            most=5,
            unit=" %",
        )
        for name, variant in (
            ("MLP", "pyvae"),
            ("conv", "pyvae"),
            ("IWAE", "pyvae in place"),
        )
    ),
    Expected(
        "Bernoulli's kernel: memory busy",
        profiled("map_kernel Bernoulli float", "memory %"),
        "as its share of a copy's bandwidth",
        least=80,
        unit=" %",
    ),
)


def table(entries: Sequence[Entry]) -> str:
    """Markdown: expected beside measured."""
    lines = ["| what | expected | measured | the expectation's ground |", "|---|---|---|---|"]
    for one in EXPECTED:
        value = one.measure(entries)
        cell = "-"
        if value is not None:
            missed = "" if one.met(value) else " **missed**"
            cell = f"{value:.3g}{one.unit}{missed}"
        lines.append(f"| {one.what} | {one.wanted()} | {cell} | {one.why} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(Book(Path(sys.argv[1])).latest() if len(sys.argv) > 1 else []))
