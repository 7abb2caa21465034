"""The noise of training, as a function of the seed and of the place in training."""

from __future__ import annotations

import hashlib
import struct

import torch

__all__ = ["Noise", "noise_seed"]

DATA, LOSS = 0, 1  # what noise is for: the values of the data, and the objective


def noise_seed(*place: int) -> int:
    """63 bits that differ from place to place (BLAKE2), for a generator.

    >>> noise_seed(0, 1, 2) == noise_seed(0, 1, 2) != noise_seed(0, 2, 1)
    True
    """
    packed = struct.pack(f"<{len(place)}q", *place)
    return int.from_bytes(hashlib.blake2b(packed, digest_size=8).digest(), "little") >> 1


class Noise:
    """Seeds the generators anew for each part of a batch in each phase of a step.

    What a part draws depends on the run's seed, the step and the number of the part alone: not on
    what was drawn before, nor on which of several processes the part falls to. So nothing of it has
    to be saved, and parts may be dealt out to any number of processes.

    Args:
        seed: of the run
        device: where noise is drawn
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self.seed = seed
        self._data = torch.Generator(device)
        self._own = [torch.default_generator]
        if device.type == "cuda":
            index = torch.cuda.current_device() if device.index is None else device.index
            self._own.append(torch.cuda.default_generators[index])

    def of_data(self, step: int, part: int) -> torch.Generator:
        """The generator of the values of a part's data, at its beginning."""
        return self._data.manual_seed(noise_seed(self.seed, DATA, step, part))

    def begin(self, step: int, part: int, phase: int) -> None:
        """Let torch's own generators begin what a phase draws for a part."""
        for generator in self._own:
            generator.manual_seed(noise_seed(self.seed, LOSS, step, part, phase))
