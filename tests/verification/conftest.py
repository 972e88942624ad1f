"""Without numpy and scipy there is nothing to test here: the package itself says what is missing."""

import importlib.util

collect_ignore_glob = [] if all(importlib.util.find_spec(name) for name in ("numpy", "scipy")) else ["test_[!w]*.py"]
