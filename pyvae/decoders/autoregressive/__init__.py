"""Networks that explain a datum element by element."""

from pyvae.decoders.autoregressive.base import AutoregressiveDecoder
from pyvae.decoders.autoregressive.gated_pixelcnn import GatedPixelCNNDecoder
from pyvae.decoders.autoregressive.made import MADEDecoder
from pyvae.decoders.autoregressive.pixelcnn import PixelCNNDecoder
from pyvae.decoders.autoregressive.pixelcnn_pp import PixelCNNPPDecoder
from pyvae.decoders.autoregressive.pixelrnn import PixelRNNDecoder
from pyvae.decoders.autoregressive.transformer import TransformerDecoder

__all__ = [
    "AutoregressiveDecoder",
    "GatedPixelCNNDecoder",
    "MADEDecoder",
    "PixelCNNDecoder",
    "PixelCNNPPDecoder",
    "PixelRNNDecoder",
    "TransformerDecoder",
]
