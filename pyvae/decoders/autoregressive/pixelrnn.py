"""The PixelRNN."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from pyvae.decoders.autoregressive.blocks import BlockDecoder
from pyvae.decoders.autoregressive.lstm import DiagonalBiLSTM, RowLSTM
from pyvae.registry import decoders

__all__ = ["PixelRNNDecoder"]

LSTMS = {"diagonal": DiagonalBiLSTM, "row": RowLSTM}


@decoders.register("pixelrnn")
class PixelRNNDecoder(BlockDecoder):
    """LSTMs over the image in residual blocks: van den Oord, Kalchbrenner and Kavukcuoglu 2016.

    A masked convolution, then layers of Diagonal BiLSTM or of Row LSTM (sections 3.1 to 3.4; table
    1). The former see all pixels before (the last one of the row above from the convolution's reach
    alone), the latter a triangle of them. All channels of a pixel are explained at once. Latents
    are added, as a plane for each channel, after the convolution.

    Args:
        latent_dim: the number of latents
        out_shape: (planes, height, width) of the likelihood's parameters
        data_shape: (channels, height, width)
        positions: for each of the parameters the pixel that it belongs to
        lstm: "diagonal" or "row"
        hidden: the width of the LSTMs; between them are twice as many channels
        layers: how many
        first_size: the width of the convolution, odd

    Raises:
        ValueError: data that are no images, an unknown LSTM, no width, or an even size.

    >>> import torch
    >>> from pyvae.networks import positions_of
    >>> at = positions_of((1, 5, 4))
    >>> net = PixelRNNDecoder(0, (1, 5, 4), (1, 5, 4), at, lstm="row", hidden=4, layers=2)
    >>> net(torch.zeros(3, 0), torch.zeros(3, 1, 5, 4)).shape
    torch.Size([3, 1, 5, 4])
    """

    part = "the pixelrnn decoder"

    def __init__(
        self,
        latent_dim: int,
        out_shape: Sequence[int],
        data_shape: Sequence[int],
        positions: Tensor,
        lstm: str = "diagonal",
        hidden: int = 16,
        layers: int = 7,
        first_size: int = 7,
    ) -> None:
        if lstm not in LSTMS:
            raise ValueError(f"{self.part}: lstm must be {' or '.join(LSTMS)}, got {lstm!r}")
        if hidden < 1 or layers < 0 or not first_size % 2:
            raise ValueError(
                f"{self.part} takes a width of at least 1, layers of at least 0 and an "
                f"odd size, got hidden={hidden}, layers={layers} and first_size={first_size}"
            )
        each = (LSTMS[lstm](hidden) for _ in range(layers))
        super().__init__(latent_dim, out_shape, data_shape, positions, 2 * hidden, first_size, each)
