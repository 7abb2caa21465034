"""Networks from data to features."""

from pyvae.encoders.base import Encoder
from pyvae.encoders.conv import ConvEncoder
from pyvae.encoders.mlp import MLPEncoder
from pyvae.encoders.resnet import ResNetEncoder
from pyvae.encoders.transformer import TransformerEncoder

__all__ = ["ConvEncoder", "Encoder", "MLPEncoder", "ResNetEncoder", "TransformerEncoder"]
