"""What is said where numpy or scipy is missing."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
sys.modules[sys.argv[1]] = None
try:
    import servesim.verification.judge
except ImportError as error:
    print(error)
"""


@pytest.mark.parametrize("name", ["numpy", "scipy"])
def test_the_error_names_the_extra(name):
    run = subprocess.run([sys.executable, "-c", PROGRAM, name], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("the split verdict needs the 'load' extra: pip install 'servesim[load]'")


def test_nothing_else_imports_it():
    program = "import sys, servesim.delivery.cli; print([name for name in sys.modules if 'verification' in name])"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
