"""Give a challenger more and more of an endpoint's traffic, and take it back if it is worse than the champion.

    python examples/canary.py fraud --challenger challenger

It reads the endpoint's state and the metrics of its last minute, nothing else. Exit code 0: the challenger has all
traffic; 1: it is worse and has none; 4: that could not be told in time, it has none; 5: its share could not be changed.
"""

import argparse
import math
import re
import time
from collections import Counter, defaultdict

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError, OperationFailed
from databricks.sdk.service.serving import Route, ServedEntityInput, TrafficConfig

PROMOTED, WORSE, UNDECIDED, BROKEN = 0, 1, 4, 5
STEPS, LOOKS = (10, 50, 100), 120  # percent, and how often it looks before it gives a step up
ODDS = (2, 5, 50)  # how many times worse a challenger could be
SLOWER = 2  # an answer is slow if it takes longer than so many times the champion's median
TOOK = "model_prediction_latency_ms_bucket"  # the model's own time: what a cold start takes comes before it
LINE = re.compile(r"^(\w+)\{(.*)\} (\S+) (\d+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="([^"]*)"')


class Evidence:
    """Whether a challenger gives more of the bad answers than of all answers: bets on who gave each bad one.

    They begin with 1. While the challenger is no worse than the champion, no bet gains on average. So the chance that
    they ever reach x is at most 1/x, however often one looks.
    """

    logs = (0.0,) * len(ODDS)

    def add(self, share, by_challenger, by_champion):
        """Settle the bets on a minute in which the challenger gave this share of all answers; return what 1 became."""
        if 0 < share < 1:
            bets = [odds * share / (odds * share + 1 - share) for odds in ODDS]
            won = [by_challenger * math.log(bet / share) for bet in bets]
            lost = [by_champion * math.log((1 - bet) / (1 - share)) for bet in bets]
            self.logs = list(map(sum, zip(self.logs, won, lost, strict=True)))
        return sum(math.exp(min(log, 50)) for log in self.logs) / len(ODDS)


class Canary:
    """One rollout; `wait()` returns when there may be more to see, after a minute for example."""

    def __init__(self, client, endpoint, challenger, wait, *, enough=400, alpha=0.01):  # noqa: ANN204 - as ANN201
        self.api, self.endpoint, self.challenger, self.wait = client.serving_endpoints, endpoint, challenger, wait
        self.enough, self.limit, self.evidence = enough, 2 / alpha, {"errors": Evidence(), "slow answers": Evidence()}
        names = {entity.name for entity in self.api.get(endpoint).config.served_entities}
        if challenger not in names or len(names) != 2:
            raise SystemExit(f"{endpoint} serves {sorted(names)}, and has to serve {challenger} and one other entity")
        (self.champion,) = names - {challenger}

    def run(self):
        """Promote the challenger or go back to the champion; return the exit code."""
        code, why = UNDECIDED, f"{self.champion} alone has too few answers, or changes fail"
        try:
            slow = self.what_is_slow() if self.give(0) else None
            for step in STEPS if slow else ():
                code, why = self.watch(slow) if self.give(step) else (BROKEN, "the shares could not be changed")
                if code != PROMOTED:
                    break
        except (DatabricksError, TimeoutError) as error:
            code, why = BROKEN, str(error)
        if code != PROMOTED:
            print(f"back to {self.champion}: {why}")
            code = code if self.give(0) else BROKEN
        return code

    def give(self, percent):
        """Change the challenger's share; return whether the endpoint says so, in one of six looks."""
        shares = {self.champion: 100 - percent, self.challenger: percent}
        traffic = TrafficConfig([Route(served_model_name=n, traffic_percentage=share) for n, share in shares.items()])
        for _ in range(6):
            try:
                config = self.api.get(self.endpoint).config
                if {one.served_model_name: one.traffic_percentage for one in config.traffic_config.routes} == shares:
                    print(f"{self.challenger} has {percent} %")
                    self.counted_until = self.last_minute()["at"]
                    return True
                entities = [ServedEntityInput.from_dict(entity.as_dict()) for entity in config.served_entities]
                self.api.update_config_and_wait(self.endpoint, served_entities=entities, traffic_config=traffic)
            except (DatabricksError, OperationFailed, TimeoutError) as error:
                print(f"not {percent} %: {error}")
        return False

    def what_is_slow(self):
        """Return above which bound of the histogram an answer is slow, in ms; None if that can't be told."""
        for _ in range(LOOKS):
            self.wait()
            took = self.last_minute()[self.champion][TOOK]
            if took[math.inf] >= 50:
                median = min(bound for bound in took if took[bound] >= took[math.inf] / 2)
                return min(bound for bound in took if bound >= SLOWER * median)
        return None

    def watch(self, slow):
        """Look until the challenger is worse, or has answered enough and is well; return an exit code, and why."""
        answers = 0
        for _ in range(LOOKS):
            self.wait()
            seen = self.last_minute()
            if seen["at"] < self.counted_until + 60_000:
                continue  # part of this minute has been counted already
            self.counted_until = seen["at"]
            ours, theirs = (count(seen[name], slow) for name in (self.challenger, self.champion))
            print(f"{self.challenger} {ours}, {self.champion} {theirs}, slow from {slow:g} ms on")
            answers += ours["answers"]
            for kind, evidence in self.evidence.items():
                share = ours["answers"] / max(ours["answers"] + theirs["answers"], 1)
                if (odds := evidence.add(share, ours[kind], theirs[kind])) >= self.limit:
                    return WORSE, f"{self.challenger} is worse by {kind}, {odds:.3g} to 1"
            state = self.api.get(self.endpoint).state
            if answers >= self.enough and (state.ready.value, state.config_update.value) == ("READY", "NOT_UPDATING"):
                return PROMOTED, ""
        return UNDECIDED, f"{answers} answers of {self.challenger} are too few, or it is not ready"

    def last_minute(self):
        """Return the metrics by entity, name and bucket; those of an entity have its name in any of their labels."""
        seen = {"at": 0, self.champion: defaultdict(Counter), self.challenger: defaultdict(Counter)}
        for metric, labels, value, at in LINE.findall(self.api.export_metrics(self.endpoint).contents.read().decode()):
            named = dict(LABEL.findall(labels))
            for entity in {self.champion, self.challenger} & set(named.values()):
                seen[entity][metric][float(named.get("le", 0))] += round(float(value))
                seen["at"] = int(at)
        return seen


def count(metrics, slow):
    answers, errors = (metrics[name][0.0] for name in ("request_count_total", "request_5xx_count_total"))
    return {"answers": answers, "errors": errors, "slow answers": metrics[TOOK][math.inf] - metrics[TOOK][slow]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("endpoint")
    parser.add_argument("--challenger", required=True)
    parser.add_argument("--every", type=float, default=60, help="seconds between two looks")
    asked = parser.parse_args()
    wait = lambda: time.sleep(asked.every)  # noqa: E731, TID251 - real metrics follow real time
    raise SystemExit(Canary(WorkspaceClient(), asked.endpoint, asked.challenger, wait).run())


if __name__ == "__main__":
    main()
