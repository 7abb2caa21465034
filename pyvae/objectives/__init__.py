"""Formulas over q(z|x), p(x|z) and p(z) that training minimises."""

from pyvae.objectives.aae import AAE
from pyvae.objectives.aggressive_inference import AggressiveInference
from pyvae.objectives.autoencoder import Autoencoder
from pyvae.objectives.base import Batch, Objective, Phase, Result
from pyvae.objectives.contrastive_divergence import ContrastiveDivergence
from pyvae.objectives.denoising import Denoising
from pyvae.objectives.elbo import ELBO
from pyvae.objectives.factor_vae import FactorVAE
from pyvae.objectives.full_vb import FullVB
from pyvae.objectives.infovae import MMDVAE, InfoVAE
from pyvae.objectives.iwae import IWAE
from pyvae.objectives.semi_supervised import SemiSupervised
from pyvae.objectives.tc_vae import TCVAE
from pyvae.objectives.wake_sleep import WakeSleep

__all__ = [
    "AAE",
    "ELBO",
    "IWAE",
    "MMDVAE",
    "TCVAE",
    "AggressiveInference",
    "Autoencoder",
    "Batch",
    "ContrastiveDivergence",
    "Denoising",
    "FactorVAE",
    "FullVB",
    "InfoVAE",
    "Objective",
    "Phase",
    "Result",
    "SemiSupervised",
    "WakeSleep",
]
