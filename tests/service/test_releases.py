"""Which MLflow the environment of a model comes to have."""

from __future__ import annotations

import pytest

from servesim.service.releases import NEWEST, chosen


@pytest.mark.parametrize(
    ("logged_with", "requirement", "version"),
    [
        # what is pinned counts, whatever logged the model
        ("3.17.2", "==1.28.0", "1.28.0"),
        ("1.28.0", "==3.1", "3.1"),
        ("3.17.2", " == v1.30.1", "1.30.1"),
        ("3.17.2", "===1.28.0", "1.28.0"),
        ("3.17.2", "=1.28", "1.28"),  # as conda writes it
        ("3.17.2", "[extras]==1.28.0", "1.28.0"),
        # what logged it, if that is allowed or nothing is said
        ("1.28.0", "", "1.28.0"),
        ("3.17.2", "", "3.17.2"),
        ("1.28.0", "<2.0", "1.28.0"),
        ("1.24.0", ">=1.20,<1.26", "1.24.0"),
        ("1.30.1", "~=1.20", "1.30.1"),
        ("1.28.0", "!=1.27.0", "1.28.0"),
        ("1.28.0", " @ somewhere", "1.28.0"),
        # else the latest minor version that is
        ("3.17.2", "<2", "1.30"),
        ("3.17.2", "<2.0.0", "1.30"),
        ("3.17.2", "<=1.26.0", "1.26"),
        ("3.17.2", "<1.26", "1.25"),
        ("3.17.2", "<1.26.1", "1.26"),
        ("3.17.2", "~=1.20.1", "1.20"),
        ("3.17.2", "<1", "1.30"),
        ("", "<=1.26", "1.26"),
        ("nobody knows", "<2", "1.30"),
        ("1.28.0", ">=2", NEWEST),
        ("1.28.0", "~=3.1", NEWEST),
        ("", ">=1.20", NEWEST),
        ("", "", NEWEST),
    ],
)
def test_chosen(logged_with, requirement, version):
    assert chosen(logged_with, requirement) == version
