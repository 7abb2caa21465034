"""What encoders and decoders are built from. Imports nothing of the library."""

from pyvae.networks.attention import Attention
from pyvae.networks.embedding import ConditionEmbedding
from pyvae.networks.layers import (
    CONV,
    CONV_TRANSPOSE,
    INITS,
    activation_layer,
    beside,
    check_latent_shape,
    dropout_layers,
    grid_shape,
    halved_sizes,
    image_shape,
    init_weights,
    mlp_layers,
    positions_of,
)
from pyvae.networks.residual import ResidualBlock, group_norm

__all__ = [
    "CONV",
    "CONV_TRANSPOSE",
    "INITS",
    "Attention",
    "ConditionEmbedding",
    "ResidualBlock",
    "activation_layer",
    "beside",
    "check_latent_shape",
    "dropout_layers",
    "grid_shape",
    "group_norm",
    "halved_sizes",
    "image_shape",
    "init_weights",
    "mlp_layers",
    "positions_of",
]
