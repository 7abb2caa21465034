"""Networks from latents to the parameters of p(x|z)."""

from pyvae.decoders.autoregressive import (
    AutoregressiveDecoder,
    GatedPixelCNNDecoder,
    MADEDecoder,
    PixelCNNDecoder,
    PixelCNNPPDecoder,
    PixelRNNDecoder,
    TransformerDecoder,
)
from pyvae.decoders.base import Decoder
from pyvae.decoders.conv import ConvDecoder
from pyvae.decoders.mlp import MLPDecoder
from pyvae.decoders.resnet import ResNetDecoder

__all__ = [
    "AutoregressiveDecoder",
    "ConvDecoder",
    "Decoder",
    "GatedPixelCNNDecoder",
    "MADEDecoder",
    "MLPDecoder",
    "PixelCNNDecoder",
    "PixelCNNPPDecoder",
    "PixelRNNDecoder",
    "ResNetDecoder",
    "TransformerDecoder",
]
