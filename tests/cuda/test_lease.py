"""The session on a GPU that one has for minutes: its limits, what is left, the summary."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

import pyvae
from pyvae import _build, _native
from pyvae.testing import CASES

ROOT = Path(__file__).parents[2]
BENCH = ROOT / "bench"


@pytest.fixture(autouse=True)
def scripts(monkeypatch, one_thread):
    monkeypatch.syspath_prepend(str(BENCH))


@pytest.fixture
def book(tmp_path):
    from lease.entries import Book

    return Book(tmp_path / "entries.jsonl")


def program(name: str, code: str):
    from lease.jobs import Job

    environment = {"PYTHONPATH": str(BENCH), "PYTHONSAFEPATH": "1"}
    return Job(name, [sys.executable, "-c", code], environment)


def run(stage, book, seconds=30.0):
    from lease import jobs

    with (book.path.parent / "log.txt").open("a") as log:
        jobs.run(stage, seconds, book, log)


SAYS_AND_STAYS = """
import subprocess, sys, time
from lease.entries import tell
tell("first", found=1)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
tell("child", pid=child.pid)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="groups of processes")
def test_a_job_that_does_not_end_is_ended_with_all_that_it_started(book):
    from lease.jobs import Stage
    from lease.summary import left

    stage = Stage("races", 99, [program("stays", SAYS_AND_STAYS), program("ends", "print('said')")])
    begun = time.monotonic()
    run(stage, book, seconds=3)
    assert time.monotonic() - begun < 20
    found = {(e["job"], e["key"]): e for e in book.latest()}
    assert found["stays", "first"]["found"] == 1  # what was found before is kept
    assert found["stays", "cut"]["status"] == "out of time"
    assert found["ends", "end"]["status"] == "passed"
    for _ in range(100):
        try:
            state = Path(f"/proc/{found['stays', 'child']['pid']}/stat").read_text().split()[2]
        except OSError:
            break
        if state == "Z":
            break
        time.sleep(0.05)
    else:
        pytest.fail("a process that a job had started went on")
    assert left(book, [stage]) == ["races"]


def test_a_second_session_runs_what_is_left_and_knows_what_was_found(book):
    from lease.entries import Book
    from lease.jobs import Stage
    from lease.summary import left

    says = "from lease.entries import already, tell\ntell('known', keys=sorted(already()))\n"
    cut, ends = program("cut", SAYS_AND_STAYS), program("ends", says)
    run(Stage("races", 99, [cut, ends]), book, seconds=3)
    again = Book(book.path)
    stage = Stage("races", 99, [program("cut", says), ends])
    assert left(again, [stage]) == ["races"]
    run(stage, again)
    (known,) = [e for e in again.entries if (e["job"], e["key"]) == ("cut", "known")]
    assert "first" in known["keys"]
    assert len([e for e in again.entries if (e["job"], e["key"]) == ("ends", "end")]) == 1
    assert left(again, [stage]) == []
    again.forget(["races"])
    assert left(Book(book.path), [stage]) == ["races"]


def test_a_failure_is_told_with_what_the_job_said(book):
    from lease.jobs import Job, Stage
    from lease.summary import failures

    missing = Job("missing", ["/no/such/program"])
    absent = Job("absent", None, skipped="not here")
    code = "print('the reason'); raise SystemExit(3)"
    run(Stage("checks", 9, [program("fails", code), missing, absent]), book)
    said = failures(book.latest())
    assert said[0] == "2 FAILED"
    assert any("fails: end: exit 3: the reason" in line for line in said)
    assert any("/no/such/program" in line for line in said)


def test_half_a_line_is_no_entry(book):
    from lease.entries import Book, heard

    assert heard('@entry {"key": "a') is None
    assert heard("said in passing") is None
    book.add("races", "job", {"key": "whole"})
    with book.path.open("a") as file:
        file.write('{"stage": "races", "jo')
    assert [e["key"] for e in Book(book.path).entries] == ["whole"]


def test_the_summary_begins_with_failures_and_is_short(book):
    from lease.jobs import Job, Stage
    from lease.summary import MOST, summary

    for i in range(3000):
        book.add("compare", "compare 0", {"key": f"op {i}", "failed": "differs " * 200})
    stages = [
        Stage("compare", 9, [Job("compare 0", None)]),
        Stage("races", 9, [Job("races", None)]),
    ]
    text, good = summary(book, stages, 12.0)
    assert not good and len(text) < MOST == 12_000
    lines = text.splitlines()
    assert lines[1] == "3000 FAILED"
    assert "LEFT: compare races" in text
    assert "| what | expected | measured |" in text


def test_failed_tests_are_heard_with_and_without_workers():
    from lease.stages import test_outcome as outcome

    line = "[gw3] [ 10%] FAILED tests/cuda/test_device.py::test_opcheck[gaussian_kl] "
    assert outcome(line)["key"] == "test_opcheck[gaussian_kl]"
    line = "FAILED tests/cuda/test_device.py::test_opcheck[gaussian_kl] - AssertionError: 3 differ"
    odd = "FAILED tests/cuda/test_device.py::test_empty_tensors[(0, 4)] - ValueError: [a] - b"
    assert outcome(odd) == {"key": "test_empty_tensors[(0, 4)]", "failed": "ValueError: [a] - b"}
    assert outcome("[gw0] [ 9%] ERROR a.py::test_empty[(0, 4)] ")["key"] == "test_empty[(0, 4)]"
    assert outcome(line) == {
        "key": "test_opcheck[gaussian_kl]",
        "failed": "AssertionError: 3 differ",
    }
    assert outcome("[gw3] [ 10%] PASSED tests/cuda/test_device.py::test_opcheck[mmd_rbf]") is None


NCU = """==PROF== Connected to process 12
"ID","Process ID","Kernel Name","dram__throughput.avg.pct_of_peak_sustained_elapsed",\
"gpu__time_duration.sum","launch__registers_per_thread"
"","","","%","ns","register/thread"
"0","12","void pyvae::device::map_kernel<pyvae::device::Bernoulli<float>, 2>(pyvae::Map)","91.25",\
"206,336","34"
==PROF== Disconnected
"""


def test_the_table_of_the_profiler_is_read():
    from lease.expected import EXPECTED
    from lease.profiles import Table

    table = Table()
    (entry,) = [e for line in NCU.splitlines() if (e := table.row(line))]
    assert (entry["memory %"], entry["ns"], entry["registers"]) == (91.25, 206336.0, 34.0)
    assert entry["key"] == "0 map_kernel<Bernoulli<float>, 2>"
    (row,) = [row for row in EXPECTED if row.what.startswith("Bernoulli's kernel")]
    assert row.measure([{"stage": "profiles", "job": "profiles", **entry}]) == 91.25


def test_a_wrong_op_is_found_and_the_others_go_on(monkeypatch, capsys):
    from lease import compare

    from pyvae import functional as F

    case = CASES["gaussian_kl"]
    right = case.function
    object.__setattr__(case, "function", lambda **inputs: F.gaussian_kl(**inputs) + 1e-3)
    try:
        words = ["--device", "cpu", "--small", "--ops", "gaussian_kl", "mmd_rbf"]
        assert compare.main([*words, "--dtypes", "float32"]) == 1
    finally:
        object.__setattr__(case, "function", right)
    said = [json.loads(line.partition(" ")[2]) for line in capsys.readouterr().out.splitlines()]
    assert len(said) == 2 * len(compare.LAYOUTS)
    for entry in said:
        assert ("failed" in entry) == entry["key"].startswith("gaussian_kl")
        assert "failed" not in entry or "result 0: 5 of 5 differ" in entry["failed"]


@pytest.mark.parametrize("layout", ["plain", "offset", "strided", "transposed"])
def test_layouts_hold_the_same_numbers_elsewhere(layout):
    import torch
    from lease.compare import LAYOUTS

    for shape in ((), (5,), (3, 4), (2, 3, 4)):
        t = torch.randn(shape)
        moved = LAYOUTS[layout](t)
        assert torch.equal(moved, t) and moved.data_ptr() != t.data_ptr()
    moved = LAYOUTS[layout](torch.randn(3, 4))
    assert moved.is_contiguous() == (layout in ("plain", "offset"))
    assert (moved.storage_offset() > 0) == (layout in ("offset", "strided"))


def test_every_race_is_named_in_the_expectations_or_told():
    from lease import races

    todo = races.works("cuda", 1, [])
    names = [work.name for work in todo]
    assert len(names) == len(set(names)) == 15
    assert sum("float32" in name for name in names) == 11
    assert {work.op for work in todo} <= set(CASES)


def test_the_limits_leave_room(tmp_path):
    from lease.session import parser
    from lease.stages import SECONDS, stages

    arguments = parser().parse_args(["--out", str(tmp_path)])
    assert arguments.limit < 480
    todo = stages(arguments)
    assert [stage.name for stage in todo] == list(SECONDS)
    assert sum(stage.seconds for stage in todo if not stage.always) + 20 < arguments.limit
    checks = next(stage for stage in todo if stage.name == "checks")
    assert {"tests", "memcheck", "racecheck", "synccheck"} <= {job.name for job in checks.jobs}


def test_a_session_without_time_says_what_is_left(tmp_path, capsys):
    from lease.session import main

    assert main(["--device", "cpu", "--limit", "2", "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "LEFT: install compare checks races steps profiles" in said


def test_what_cannot_be_installed_is_told_and_what_is_there_is_used(tmp_path, capsys):
    from lease.install import install

    (tmp_path / "pyvae_fused-9-py3-none-any.whl").write_text("no wheel")
    assert install(tmp_path, tmp_path / "site")
    said = [json.loads(line.partition(" ")[2]) for line in capsys.readouterr().out.splitlines()]
    assert [entry["key"] for entry in said] == ["wheels", "package"]
    assert "failed" in said[0] and "__init__.py" in said[1]["path"]


@pytest.mark.skipif(sys.platform == "win32", reason="paths of Linux")
def test_what_is_installed_is_what_is_used(tmp_path):
    """A wheel of the package that runs these tests, into a folder that was not there before."""
    name = "pyvae_fused-1.2.3"
    with zipfile.ZipFile(tmp_path / f"{name}-py3-none-any.whl", "w") as wheel:
        for path in Path(pyvae.__file__).parent.rglob("*"):
            if path.is_file() and path.suffix != ".pyc":
                wheel.write(path, Path("pyvae") / path.relative_to(Path(pyvae.__file__).parent))
        native = [p for p in _native.path.parent.iterdir() if p.suffix in (".so", ".dylib")]
        for file in (Path(_build.__file__), *native):
            if f"pyvae/{file.name}" not in wheel.namelist():
                wheel.write(file, f"pyvae/{file.name}")
        facts = "Metadata-Version: 2.1\nName: pyvae-fused\nVersion: 1.2.3\n"
        wheel.writestr(f"{name}.dist-info/METADATA", facts)
        tag = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(f"{name}.dist-info/WHEEL", tag)
        wheel.writestr(f"{name}.dist-info/RECORD", "")
    site = tmp_path / "site"
    paths = os.pathsep.join(map(str, (site, BENCH)))
    done = subprocess.run(
        [sys.executable, "-m", "lease.install", str(tmp_path), str(site)],
        env={**os.environ, "PYTHONPATH": paths, "PYTHONSAFEPATH": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    package, facts = (json.loads(line.partition(" ")[2]) for line in done.stdout.splitlines())
    assert package["path"] == f"{site}/pyvae/__init__.py"
    assert (facts["pyvae"], facts["key"]) == ("1.2.3", "facts")


def test_tools_are_found_off_the_path(tmp_path, monkeypatch):
    from lease.tools import find_tool

    monkeypatch.setattr("shutil.which", lambda name: None)
    assert find_tool("ncu", tmp_path) is None
    for place in ("opt/nvidia/nsight-compute/2024.1", "opt/nvidia/nsight-compute/2025.3"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "ncu").touch()
    assert find_tool("ncu", tmp_path).endswith("2025.3/ncu")


def test_the_page_has_todays_expectations():
    from lease.expected import table

    page = (ROOT / "docs" / "cuda.md").read_text()
    for expected, row in zip(table([]).splitlines(), expectations(page), strict=True):
        cells = [cell.strip() for cell in row.split("|")]
        wanted = [cell.strip() for cell in expected.split("|")]
        assert cells[1:3] == wanted[1:3] and cells[4:] == wanted[4:]


def expectations(page: str) -> list[str]:
    return re.findall(r"^\| what \| expected .*(?:\n\|.*)*", page, re.MULTILINE)[0].splitlines()


@pytest.mark.slow
def test_a_whole_session_on_the_cpu(tmp_path):
    """Every stage, at a four-thousandth of the size; twice, and the second has nothing to do."""
    from lease import races
    from lease.entries import Book

    command = [str(BENCH / "lease" / "run.sh"), "--device", "cpu", "--scale", "4000"]
    command += ["--seconds", "0", "--no-compile", "--out", str(tmp_path / "out")]
    command += ["--wheels", str(tmp_path / "none")]
    environment = {**os.environ, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}

    def session() -> str:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=600, cwd=tmp_path
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
        return done.stdout

    said = session()
    assert "no failure" in said and "nothing is left" in said and len(said) < 12_000
    entries = Book(tmp_path / "out" / "entries.jsonl").latest()
    told = {
        stage: {e["key"] for e in entries if e["stage"] == stage and e["key"] != "end"}
        for stage in ("compare", "races", "steps", "profiles")
    }
    assert len(told["compare"]) == len(CASES) * 4 * 4
    assert told["races"] == {work.name for work in races.works("cpu", 4000, [])}
    assert len(told["steps"]) == 3 and len(told["profiles"]) == 8
    assert "| ops that differ from the CPU, in 4 dtypes and 4 layouts | 0 | 0 |" in said
    before = len(Book(tmp_path / "out" / "entries.jsonl").entries)
    session()
    again = Book(tmp_path / "out" / "entries.jsonl").entries[before:]
    assert {e["stage"] for e in again} == {"install"}
