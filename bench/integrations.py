"""Other libraries before and after: equality first, then time and memory of each.

    python bench/integrations.py [losses pyro scvi diffusers lightning] [--seconds S]

Run it in an environment with the library. Variants alternate; each is first compared with the
other. ``scvi`` takes the blood cells of PYVAE_DATA_DIR, and synthetic counts where there are none.
The numbers go to ``bench/results/integrations_<library>.json``.
"""

from __future__ import annotations

import importlib
import os

import common


def main() -> None:
    parser = common.parser(__doc__ or "")
    parser.set_defaults(no_compile=True)
    names = ["losses", "pyro", "scvi", "diffusers", "lightning"]
    parser.add_argument("libraries", nargs="*", metavar="LIBRARY", help=", ".join(names))
    arguments = parser.parse_args()
    unknown = set(arguments.libraries) - set(names)
    if unknown:
        parser.error(f"expected {', '.join(names)}, got {', '.join(sorted(unknown))}")
    how = common.options(arguments)
    for name in arguments.libraries or names:
        section = importlib.import_module(f"integration.{name}").run(how)
        print(f"{section}\nload average: {os.getloadavg()[0]:.2f}\n", flush=True)
        arguments.name = f"integrations_{name}"
        common.report(arguments, how, [section])


if __name__ == "__main__":
    main()
