"""A session on a GPU that is there for minutes: ``wheel.sh`` prepares it, ``run.sh`` runs it."""
