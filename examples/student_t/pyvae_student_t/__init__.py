"""Student t variables for pyvae: a fused log-density, a distribution and a likelihood."""

from .density import student_t_log_prob
from .distribution import StudentT
from .likelihood import StudentTLikelihood

__all__ = ["StudentT", "StudentTLikelihood", "student_t_log_prob"]
