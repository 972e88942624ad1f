"""numpy and scipy have to be there before anything of this package is imported."""

from __future__ import annotations

try:
    import numpy
    import scipy.special
except ImportError as error:
    _MESSAGE = f"the split verdict needs the 'load' extra: pip install 'servesim[load]' ({error})"
    raise ImportError(_MESSAGE, name=error.name) from error

__all__ = ["numpy", "scipy"]
