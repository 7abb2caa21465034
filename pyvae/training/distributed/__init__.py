"""Training by several processes: how they are started, and what they tell each other."""

from __future__ import annotations
