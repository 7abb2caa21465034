"""The processes of a run on this machine, started and watched over by one that does not train."""

from __future__ import annotations

import contextlib
import io
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from typing import IO, TextIO

from pyvae.config import TrainConfig
from pyvae.errors import RunError, UserError
from pyvae.training.distributed.ranks import started_by_others
from pyvae.training.signals import StopRequest

__all__ = ["LOST", "NotLaunched", "check_launched", "follow_parent", "launch", "watched"]

GRACE = 20.0  # seconds that the others have to end by themselves, when one has ended
PARENT = "PYVAE_PARENT"  # names the process that watches over this one
LOST = 75  # exit code of a process that is watched over, and has ended because another one had

Process = subprocess.Popen[bytes]


class NotLaunched(Exception):
    """The run wants several processes, and nobody has started them.

    Args:
        config: the settings of the run
    """

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self.config = config


def check_launched(config: TrainConfig) -> None:
    """Raises: NotLaunched: the processes of the run have not been started."""
    if config.devices * config.num_nodes > 1:
        if not started_by_others():
            raise NotLaunched(config)
        follow_parent()


def watched() -> bool:
    """Whether another process of ours has started this one, and waits for its exit code."""
    return PARENT in os.environ


def launch(config: TrainConfig, arguments: Sequence[str]) -> int:
    """Run ``pyvae`` with these arguments once for each device, and wait for the end.

    The first process speaks for all. Signals to stop are passed on. When a process ends before its
    time, the others, which can do nothing without it, have 20 seconds to end too; what it said is
    told where the first process cannot know it. Of several
    machines each does this; NODE_RANK, MASTER_ADDR and MASTER_PORT say which one it is, and
    where the first one is.

    Args:
        config: the settings, which name devices and machines
        arguments: the command line behind ``pyvae``

    Returns:
        The exit code of the first process; 2 where it has lost others.

    Raises:
        UserError: several machines, and nothing that says how they find each other.
        RunError: a process was killed, or broke.
    """
    named = ("NODE_RANK", "MASTER_ADDR", "MASTER_PORT")
    missing = [name for name in named if not os.environ.get(name)]
    if config.num_nodes > 1 and missing:
        raise UserError(
            f"--num-nodes {config.num_nodes}: the environment must say which machine this is and "
            f"where the first one is, and has no {', '.join(missing)}"
        )
    with contextlib.ExitStack() as stack:
        said = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(config.devices)]
        stop = stack.enter_context(StopRequest())
        environment = _environment(config)
        processes = [
            _start(
                {**environment, "LOCAL_RANK": str(rank)}, arguments, said[rank] if rank else None
            )
            for rank in range(config.devices)
        ]
        try:
            failed = _wait(processes, stop)
        finally:
            for process in processes:
                process.kill()
                process.wait()
        return _verdict(failed, processes, said)


def follow_parent() -> None:
    """Ask this process to stop when the one that watches over it is gone; end it if it cannot."""
    parent = int(os.environ.get(PARENT, "0"))

    def follow() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os._exit(1)

    if parent:
        threading.Thread(target=follow, daemon=True).start()


def _environment(config: TrainConfig) -> dict[str, str]:
    """What all processes find in their environment; what is there already stays.

    But for where the first one is: on one machine, that is nobody's business but ours.
    """
    threads = max(1, (os.cpu_count() or 1) // config.devices)
    alone = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": _free_port(), "NODE_RANK": "0"}
    return {
        "OMP_NUM_THREADS": str(threads),
        "TORCH_CPP_LOG_LEVEL": "ERROR",  # no advice about phases that happen to use all weights
        **os.environ,
        **(alone if config.num_nodes == 1 else {}),
        PARENT: str(os.getpid()),
    }


def _free_port() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


def _start(
    environment: dict[str, str], arguments: Sequence[str], said: IO[bytes] | None
) -> Process:
    """A process; what it says goes into a file, or where this one's words go."""
    return subprocess.Popen(
        [sys.executable, "-m", "pyvae", *arguments],
        env=environment,
        stdout=said or _descriptor(sys.stdout),
        stderr=said or _descriptor(sys.stderr),
        start_new_session=True,  # a Ctrl-C comes once, from here
    )


def _descriptor(stream: TextIO) -> int | None:
    """Where a stream ends, which may have been redirected; None: where it is not known."""
    try:
        stream.flush()
        return stream.fileno()
    except io.UnsupportedOperation:
        return None


def _wait(processes: Sequence[Process], stop: StopRequest) -> tuple[int, int] | None:
    """Wait until all have ended; the first one that ended badly, and its code."""
    failed, deadline, passed_on = None, math.inf, False
    while True:
        codes = [process.poll() for process in processes]
        if None not in codes or time.monotonic() > deadline:
            break
        if stop.signal is not None and not passed_on:
            passed_on = True
            for process in processes:
                process.send_signal(stop.signal)
        failed = _cause(failed, codes)
        if codes[0] is not None:  # whatever the others still do, nobody sees it
            deadline = min(deadline, time.monotonic() + GRACE / 4)
        elif failed:
            deadline = min(deadline, time.monotonic() + GRACE)
        time.sleep(0.05)
    return _cause(failed, codes)


def _cause(known: tuple[int, int] | None, codes: Sequence[int | None]) -> tuple[int, int] | None:
    """Who ended badly before others did, as far as is known; one that has lost others did not."""
    if known is not None and known[1] != LOST:
        return known
    bad = [(rank, code) for rank, code in enumerate(codes) if code]
    return min(bad, key=lambda one: (one[1] == LOST, one[1] > 0), default=None)


def _verdict(
    failed: tuple[int, int] | None, processes: Sequence[Process], said: Sequence[IO[bytes]]
) -> int:
    if failed is None:
        return 0
    (rank, code), count = failed, len(processes)
    goes_on = "what was saved last stands in the run folder: continue with pyvae train --resume"
    if code < 0:
        name = signal.Signals(-code).name
        raise RunError(
            f"process {rank} of the {count} on this machine was ended by {name}; {goes_on}"
        )
    first = processes[0].returncode
    if rank and (code == 1 or (code != LOST and first == LOST)):  # which the first one cannot say
        said[rank].seek(0)
        last = said[rank].read().decode(errors="replace").strip().rpartition("\n")[2]
        ended = "broken" if code == 1 else "ended"
        raise RunError(
            f"process {rank} of the {count} on this machine has {ended}: "
            f"{last.removeprefix('pyvae: error: ')}; {goes_on}"
        )
    code = first if first > 0 else code
    return 2 if code == LOST else code
