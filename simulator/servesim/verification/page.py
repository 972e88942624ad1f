"""The page about verdicts, with what was measured: ``python -m servesim.verification.page > docs/verification.md``."""

from __future__ import annotations

import sys

from servesim.verification.bounds import lower_bound, upper_bound
from servesim.verification.measured import CAUGHT_RUNS, RUNS, SPLITS, USUAL_RUNS, named
from servesim.verification.plan import plan
from servesim.verification.stored import MEASURED, REQUESTS, USUAL_CHECK
from servesim.verification.words import PAGE

_SHOWN_ALPHA = 0.001


def page() -> str:
    """Return the page as Markdown."""
    skewed = plan({"champion": 90, "challenger": 10}, detect=2)
    return PAGE.format(
        requests=f"{skewed.requests:_}",
        fixed=f"{skewed.fixed_requests:_}",
        alpha=_SHOWN_ALPHA,
        requests_table=_requests_table(),
        measured_table=_measured_table(),
        usual_runs=USUAL_RUNS,
        usual_table="\n".join(
            f"| {truth}:{100 - truth} | {100 * count / USUAL_RUNS:.1f} % |" for truth, count in USUAL_CHECK.items()
        ),
        ten=plan({"a": 50, "b": 50}, detect=10).requests,
    )


def _title(percentages: tuple[float, ...]) -> str:
    if len(percentages) > 3 and len({*percentages}) == 1:  # noqa: PLR2004 - longer lists are spelled shorter
        return f"{len(percentages)} x {percentages[0]:g}"
    return "/".join(f"{share:g}" for share in percentages)


def _requests_table() -> str:
    detected = list(dict.fromkeys(detect for _, detect, _, _ in REQUESTS))
    columns = (f"{detect:g} point{'s' * (detect != 1)}" for detect in detected)
    rows = [
        f"| split | {' | '.join(columns)} |",
        "|---" * (len(detected) + 1) + "|",
    ]
    for percentages in dict.fromkeys(key[0] for key in REQUESTS):
        plans = [plan(named(percentages), detect, _SHOWN_ALPHA) for detect in detected]
        cells = " | ".join(f"{one.requests:,} ({one.fixed_requests:,})" for one in plans)
        rows.append(f"| {_title(percentages)} | {cells} |")
    return "\n".join(rows)


def _measured_table() -> str:
    rows = [
        "| split | detect | alpha | planned | false alarms | at most | caught at the planned size | at least |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (percentages, alpha), (requests, looks, alarms, caught) in MEASURED.items():
        alarm = f"{alarms:,} of {RUNS[alpha]:,}, {looks:,} looks each | {upper_bound(alarms, RUNS[alpha]):.2g}"
        power = f"{caught:,} of {CAUGHT_RUNS:,} | {lower_bound(caught, CAUGHT_RUNS):.4f}"
        rows.append(
            f"| {_title(percentages)} | {SPLITS[percentages]:g} | {alpha:g} | {requests:,} | {alarm} | {power} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    sys.stdout.write(page())
