"""``python -m pyvae``."""

from pyvae.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
