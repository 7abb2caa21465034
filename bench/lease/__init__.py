"""A session on a machine with a GPU that one has for minutes.

``wheel.sh`` prepares it, ``run.sh`` runs it.
"""
