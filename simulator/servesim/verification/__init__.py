"""Whether a router keeps its traffic split: how many requests it takes, and what the counted answers say."""

from servesim.verification import libraries

# isort: split - before any of these is imported, libraries has said which extra is missing
from servesim.verification.band import band
from servesim.verification.judge import Judge, judge
from servesim.verification.plan import Plan, plan
from servesim.verification.verdict import Outcome, Verdict

__all__ = ["Judge", "Outcome", "Plan", "Verdict", "band", "judge", "libraries", "plan"]
