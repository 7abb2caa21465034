"""Rows of a few columns, and elements that are rows of their own."""

from pyvae.testing.sweep.short_rows import *  # noqa: F403
