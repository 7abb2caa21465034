"""The importance weighted autoencoder of data of which a part is missing."""

from __future__ import annotations

from typing import Any

from pyvae.registry import presets


@presets.register("miwae")
def miwae() -> dict[str, Any]:
    """MIWAE, the bound of IWAE on what was observed: Mattei & Frellsen 2019, equation 4.

    20 samples and tanh layers of 128 units. It is meant for data with a mask, such as a table with
    empty cells (``--dataset table.csv``, with ``--likelihood mixed`` if its columns are of several
    kinds); on data without one it is IWAE.
    """
    return {
        "dataset": "mnist",
        "latent_dim": 10,
        "encoder_args": {"hidden": [128, 128], "activation": "tanh"},
        "decoder_args": {"hidden": [128, 128], "activation": "tanh"},
        "init": "glorot",
        "objective": "iwae",
        "objective_args": {"num_samples": 20},
        "lr": 1e-3,
        "batch_size": 64,
        "epochs": 100,
    }
