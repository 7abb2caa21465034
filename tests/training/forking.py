"""Runs ``pyvae`` in processes that are forked off, which costs milliseconds, and may be killed.

A request is a line of JSON, {"arguments": [...], "environments": [{...}], "log": path, "limit":
bytes of a file, "lacks": [ranks, step] that run out of memory}, or instead of arguments {"runs":
{folder: settings}, "apart": whether the processes part after each}. A line with the process ids,
one for each environment, answers it, and when all have ended a line with their exit codes.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import lightning_fabric  # noqa: F401
import matplotlib.image  # noqa: F401
import sklearn.datasets  # noqa: F401
import torch.utils.tensorboard
from torch.nn.parallel import DistributedDataParallel

from pyvae.cli import main, train  # noqa: F401
from pyvae.config import TrainConfig
from pyvae.errors import UserError
from pyvae.training import RunFolder, StopRequest, Trainer, build, report  # noqa: F401
from pyvae.training.optimization.engine import Engine
from pyvae.training.saving import SaveClock

LONGEST = 300.0  # seconds after which a process that hangs says where, and ends


def child(request: dict[str, Any], environment: dict[str, str]) -> None:
    """What a process does; never returns."""
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faulthandler.dump_traceback_later(LONGEST, exit=True)
    torch.set_num_threads(1)
    SaveClock.due = lambda self: True  # type: ignore[method-assign]
    if request.get("limit"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["limit"], request["limit"]))
    if request.get("lacks"):
        lack(environment, *request["lacks"])
    code = 70
    try:
        runs = request.get("runs")
        apart = request.get("apart", False)
        code = main(request["arguments"]) if runs is None else fit_all(runs, apart)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def lack(environment: dict[str, str], ranks: list[int], step: int) -> None:
    """Let some of the processes have too little memory for a step."""
    whole = Engine.step

    def short(self: Engine, number: int, *others: Any, **more: Any) -> Any:
        if int(environment["LOCAL_RANK"]) in ranks and number == step:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return whole(self, number, *others, **more)

    Engine.step = short  # type: ignore[method-assign]


def fit_all(runs: dict[str, dict[str, Any]], apart: bool) -> int:
    """Train in one group of processes after the other, or all in one group.

    What cannot be trained leaves its reason.
    """
    for number, (folder, settings) in enumerate(runs.items(), start=1):
        try:
            trainer = fit(Path(folder), settings)
        except UserError as error:
            Path(folder).with_suffix(".txt").write_text(str(error))
        else:
            if apart or number == len(runs):
                trainer.leave()
                shared = [one for one in gc.get_objects() if type(one) is DistributedDataParallel]
                assert not shared, "what outlives the group may wait for its threads forever"
    return 0


def fit(folder: Path, settings: dict[str, Any]) -> Trainer:
    """Train without pictures and final figures."""
    config = TrainConfig.from_dict(settings)
    parts = build(config)
    run = RunFolder(folder)
    trainer = Trainer(config, parts, run, quiet=True)
    if trainer.ranks.first:
        run.create(config, parts.model, {})
    trainer.fit(StopRequest())
    run.release()
    return trainer


def serve() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        pids = []
        for environment in request["environments"]:
            pid = os.fork()
            if pid == 0:
                child(request, environment)
            pids.append(pid)
        print(json.dumps(pids), flush=True)
        print(
            json.dumps([os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]) for p in pids]), flush=True
        )


if __name__ == "__main__":
    serve()
