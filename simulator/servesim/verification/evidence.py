"""The e-value of counted answers against a split.

Under the hypothesis that every answer is drawn independently by the configured shares ``p``, the counts are
multinomial. The alternative is a mixture of all other splits: a Dirichlet distribution with mean ``p`` and
concentration ``c``. The ratio of the two likelihoods, in closed form

    E = G(c) / G(c + n) * prod_i G(c p_i + n_i) / G(c p_i) / p_i ** n_i        (G is the gamma function)

has expectation 1 before the first answer and is a martingale as answers come. By Ville's inequality the chance
that it *ever* reaches 1/alpha is at most alpha, whoever looks, however often, and whatever makes them stop. (Ville
1939; mixtures: Robbins 1970; the word e-value: Vovk and Wang 2021, Ramdas et al. 2023.) That holds for every ``c``
which is fixed before the first answer; ``c`` decides which deviations are seen soonest.
"""

from __future__ import annotations

import math
from typing import Any

import numpy
import scipy.special

from servesim.verification.split import WHOLE, moves

# Where the concentration is best; it is nearly as good around them, so other levels get no prior of their own.
_ALPHA, _POWER = 0.001, 0.99


def log_e(shares: Any, concentration: float, counts: Any) -> Any:
    """Return the natural logarithm of the e-value.

    ``shares`` has shape (k,), each above 0, sum 1; ``counts`` has shape (..., k); the result has shape (...).
    """
    weights = concentration * shares
    routes = scipy.special.gammaln(weights + counts) - scipy.special.gammaln(weights) - counts * numpy.log(shares)
    size = numpy.sum(counts, axis=-1)
    whole = scipy.special.gammaln(concentration) - scipy.special.gammaln(concentration + size)
    return numpy.sum(routes, axis=-1) + whole


def log_e_path(shares: Any, concentration: float, order: Any, before: Any) -> Any:
    """Return the logarithm of the e-value after every single answer.

    ``order`` holds the answers as indices of routes and has shape (..., m), ``before`` the counts ahead of the first
    of them, shape (..., k); the result has the shape of ``order``. Each answer multiplies the e-value by what the
    mixture gave it a chance of, over its share.
    """
    sizes = numpy.sum(before, axis=-1)[..., None] + numpy.arange(order.shape[-1])
    ranks = numpy.array(sizes, dtype=float)  # how many there were of the same route; the first route gets what is left
    others = numpy.zeros(order.shape)
    for route in range(1, len(shares)):
        mine = order == route
        so_far = numpy.cumsum(mine, axis=-1, dtype=float) + before[..., route, None]
        others += so_far
        ranks = numpy.where(mine, so_far - 1, ranks)
    ranks = numpy.where(order == 0, ranks - others, ranks)
    weights = numpy.asarray(shares)[order]
    steps = numpy.log((ranks / weights + concentration) / (sizes + concentration))
    return log_e(shares, concentration, before)[..., None] + numpy.cumsum(steps, axis=-1)


def concentration(percentages: tuple[float, ...], detect: float) -> float:
    """Return how narrow the mixture is: about the one that sees a route that is ``detect`` points off soonest.

    With ``d`` free shares the e-value is near ``(1 + n/c) ** (-d/2) * exp(x/2 * n / (c + n))``, where x is Pearson's
    statistic; at the x that just suffices it is greatest for ``1 + n/c = x/d``.
    """
    if len(percentages) == 1:
        return 1.0
    free = len(percentages) - 1
    low, high = float(free), 100.0 * (free + 1)
    for _ in range(60):  # halvings: past the precision of a float
        middle = (low + high) / 2
        enough = middle - free - free * math.log(middle / free) >= -2 * math.log(_ALPHA)
        low, high = (low, middle) if enough else (middle, high)
    return fixed_requests(percentages, detect, _ALPHA, _POWER) / (high / free - 1)


def fixed_requests(percentages: tuple[float, ...], detect: float, alpha: float, power: float) -> int:
    """Return the requests that Pearson's chi-squared test needs, which may be looked at once, after the last of them.

    The usual approximation by normal distributions, in which a share has another variance once it is off; for two
    routes it is the textbook's formula for one proportion.
    """
    free = len(percentages) - 1
    beyond = float(scipy.special.ndtri(power))
    limit = scipy.special.chdtri(free, alpha)
    level = math.sqrt(scipy.special.chndtrinc(limit, free, 1 - power)) - beyond
    needed = [
        level * _deviation(percentages[index]) + beyond * _deviation(moved)
        for index, moved in moves(percentages, detect)
    ]
    return math.ceil((max(needed) / detect) ** 2)


def _deviation(share: float) -> float:
    """Return the standard deviation of one answer's share, in points."""
    return math.sqrt(share * (WHOLE - share))
