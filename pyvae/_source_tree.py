"""What happens where the source tree is imported in the place of the installed package.

Python puts the folder that it is started in first on the path: in the folder of the sources,
``python -m pytest`` and ``python -m pyvae`` would import a tree without a native library, even
beside an installation that has one.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

__all__ = ["give_way"]


def give_way(package: ModuleType) -> None:
    """Let the installed package take the place of one without a native library, where there is one.

    From here on, whatever is imported below the package comes from the installation.
    """
    if find_spec(f"{package.__name__}._build") is not None:
        return
    here = Path(package.__path__[0])
    for entry in sys.path:
        spec = PathFinder.find_spec(package.__name__, [entry])
        if spec is None or spec.origin is None:
            continue
        folder = Path(spec.origin).parent
        if folder.resolve() != here.resolve() and (folder / "_build.py").is_file():
            package.__path__ = [str(folder)]
            package.__file__, package.__spec__ = spec.origin, spec
            return
