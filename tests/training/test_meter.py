"""A longer evaluation tells how far it is; one of a moment says nothing."""

import io
import re

import pytest

from pyvae.cli import main
from pyvae.training.meter import meter


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


class Gone(io.StringIO):
    """What a reader has left."""

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


class GoneScreen(Gone, Screen):
    pass


def test_lines_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("pyvae.training.meter.time.monotonic", lambda: now[0])
    stream = io.StringIO()
    with meter("evaluating 1000 data", 1000, stream=stream, every=30) as tick:
        for _ in range(10):
            now[0] += 10
            tick(100)
    assert stream.getvalue().splitlines() == [
        f"evaluating 1000 data: {done} %; {spent} so far, {left} left"
        for done, spent, left in [
            (10, "0:10", "1:30"),
            (40, "0:40", "1:00"),
            (70, "1:10", "0:30"),
            (100, "1:40", "0:00"),
        ]
    ]


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyvae.training.meter.PATIENCE", 0.0)
    screen = Screen()
    with meter("evaluating 4 data", 4, stream=screen) as tick:
        for _ in range(4):
            tick(1)
    assert "evaluating 4 data: 0 %, ? left |" in screen.getvalue()
    assert screen.getvalue().endswith("\r")  # it is gone at the end


@pytest.mark.parametrize("screen", [Screen, io.StringIO])
def test_nothing_of_short_work(screen: type[io.StringIO]) -> None:
    stream = screen()
    for quiet in (False, True):
        with meter("evaluating 4 data", 4, stream=stream, quiet=quiet) as tick:
            tick(4)
    assert stream.getvalue().strip() == ""


@pytest.mark.parametrize("stream", [Gone, GoneScreen])
def test_work_goes_on_without_its_reader(
    stream: type[io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyvae.training.meter.PATIENCE", 0.0)
    done = 0
    with meter("evaluating 4 data", 4, stream=stream(), every=0.0) as tick:
        for _ in range(4):
            tick(1)
            done += 1
    assert done == 4


def test_the_parts_of_an_evaluation_are_all_counted(
    tmp_path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the way, at the end, and in commands: the last piece makes it 100 %."""
    now = [0.0]

    def clock() -> float:
        now[0] += 40
        return now[0]

    monkeypatch.setattr("pyvae.training.meter.time.monotonic", clock)
    small = ["--encoder-args", "hidden=8", "--decoder-args", "hidden=8", "--steps", "5"]
    small += ["--eval-samples", "7", "--eval-every", "5", "--eval-subset", "30"]
    assert main(["train", "--out", str(tmp_path / "quiet"), "--quiet", *small]) == 0
    assert "evaluating" not in capsys.readouterr().err
    assert main(["train", "--out", str(tmp_path / "run"), *small]) == 0
    train = capsys.readouterr().err
    assert main(["evaluate", str(tmp_path / "run"), "--ais", "4", "--subset", "20"]) == 0
    evaluate = capsys.readouterr().err
    assert main(["score", str(tmp_path / "run"), "--out", str(tmp_path / "x.csv")]) == 0
    score = capsys.readouterr().err
    for said, work in [
        (train, "evaluating 30 data with 7 samples each"),  # on the way
        (train, r"evaluating (?!30 )\d+ data with 7 samples each"),
        (evaluate, "evaluating 20 data with 7 samples each"),
        (evaluate, "annealing 16 chains for each of 20 data"),
        (score, "rows of .*x.csv"),
    ]:
        shares = [int(s) for s in re.findall(rf"{work}: (\d+) %", said)]
        assert shares[-1] == 100 and shares == sorted(shares)
