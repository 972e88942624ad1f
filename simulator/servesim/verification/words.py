"""The page about verdicts, without its figures."""

PAGE = """\
# Verdicts on a traffic split

`servesim.verification` answers two questions about a router that draws each request's route by configured shares:
how many requests does it take to see that it doesn't, and what do these counts say? It needs the extra `load`
(`pip install 'servesim[load]'`), reads no clock and opens no file, and it judges any router, servesim's or a real
one's. This page is made from the module and what was measured of it, and a test fails when it is older.

```python
from servesim.verification import judge, plan

split = {{"champion": 90, "challenger": 10}}


def test_a_router_is_judged():
    planned = plan(split, detect=2)
    assert (planned.requests, planned.fixed_requests) == ({requests}, {fixed})

    kept = judge(split, {{"champion": 9_604, "challenger": 1_096}}, detect=2)
    assert kept.outcome == "pass"

    skewed = judge(split, {{"champion": 9_328, "challenger": 1_272}}, detect=2)
    assert skewed.outcome == "fail"
    assert skewed.why.startswith("of 10,600 requests 'challenger' has 12 % and is to have 10 %")
```

## What is promised

- **A router that is right fails with a chance of at most `alpha`** (0.001 unless named), however often it is looked at
  and whenever one stops. A test that asks after every request "is it off yet?" with an ordinary significance test fails
  right routers far more often than its level says.
- **A router that is off by `detect` points or more at any route fails with a chance of at least `power`** (0.99) once
  the planned requests are counted, even if they are looked at once only. `detect` is in percentage points, in
  whichever direction there is room; a route at 1 % can't be 2 points below.
- **A million answers are judged in a fraction of a second**, with a look after each.

## The verdict

| outcome | when |
|---|---|
| `fail` | an entity answered that has 0 % or that the split doesn't name, once is enough; or the e-value reached 1/alpha at any look, and the estimate is off by more than `floor` points |
| `pass` | it didn't fail, and the planned requests are counted |
| `inconclusive` | too few requests; or more than half of `detect` percent of the first attempts name no entity, so that they could hide what is looked for |

An answer of an entity at 0 % comes before everything else, then too many unattributed ones, then the other reasons.

- `floor` (0 unless named) is what is too small to matter: with a million requests two tenths of a point are a real
  difference. It is at most half of `detect`, so that the promised power is kept.
- What is counted are first attempts. One that failed, or whose answer doesn't say who gave it, is `unattributed`, even
  if a retry brought an answer: counting retries would hide the entity that fails. `retries` are counted apart and shown.
- Counts that are too regular for random draws are reported as a remark and change no verdict: such a router deals its
  routes out in turn, or balances in some other way. It takes a few thousand requests to tell, and more for a route
  below 3 %.
- `Judge` takes answers as they come: `add(counts)` and `look()`, or `add_in_order(entities)`, which looks after each.
  `band(plan, requests)` gives the range in which a share may be seen while nothing is against it, for pictures.

Answers must be independent draws: requests of a session that sticks to its first route are one draw together. Shares
have to be constant; while a config changes, judge by the split that was in force when a request was sent.

## How many requests

At alpha {alpha:g} and power 0.99, by what is to be detected, with the fixed-size figure in brackets: what a
chi-squared test would need, which may be looked at once only, after the last request. The difference buys that one may
look at any time, and stop.

{requests_table}

Other cases are simulated when `plan` is asked for them, in some seconds, always to the same answer.

## The method

One e-value: the likelihood of the counts under a mixture of all other splits (a Dirichlet distribution whose mean is
the configured split) over their likelihood under the configured split. While the router is right it is a martingale
that starts at 1, and by Ville's inequality its chance of ever reaching 1/alpha is at most alpha. How narrow the mixture
is follows from split and `detect`, never from the counts. The planned size is the first at which simulated routers
with one route off by `detect` and the others in proportion, of all such routers the hardest to see, are caught at a
single look.

## Measured

Routers that are right were looked at after every request, for as many requests as the strictest alpha plans, and
counted as false alarms if the e-value reached 1/alpha at any of these looks. Routers that are off were judged once, at
the planned size; shown is the deviation that was caught least often. Bounds are one-sided, 99 %, Clopper and Pearson's;
all draws are seeded. `make test` simulates the rows of alpha 0.05 and 0.01 anew, `make deep` those of 0.001.

{measured_table}

### The check that many tests have

"Send 100 requests at 50:50, each route gets 45 to 55" was simulated {usual_runs:,} times for each router:

| router | is failed |
|---|---|
{usual_table}

It fails the router that is right more than every fourth time, and nearly every fifth time it passes one that is ten
points off. The plan for ten points, at alpha 0.001 and power 0.99, has {ten:,} requests.
"""
