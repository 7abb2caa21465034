"""Commands that repair data."""
