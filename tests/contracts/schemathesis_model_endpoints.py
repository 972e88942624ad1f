"""What schemathesis finds in the two retired generations: models that are served, in the state that a call needs."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

MLFLOW = "/api/2.0/mlflow"
SERVED = "served"
"""A model that both generations serve, and that no call changes."""
OF_THEIR_OWN = {
    "preview_update_compute_config": "updated",
    "legacy_update_cluster_config": "updated",
    "preview_restart_compute_config_update": "broken",
}
"""The models for calls that change something; every update of ``broken`` fails."""
LOOKS = 20
"""How often a version is read until its update has ended: time moves with each look."""


class Names:
    """The models that a generation serves, and their versions."""

    REPEATS = True
    """Every call can be repeated: what it takes away is made anew."""

    def __init__(self, world: Any, place: str) -> None:
        self.world = world
        self.place = f"{MLFLOW}/{place}/"

    def path(self, operation: str, given: dict[str, Any], walks: bool) -> dict[str, Any]:
        return given | {"model": self.served(operation), "version": "1"}

    def query(self, operation: str, given: dict[str, Any], walks: bool) -> dict[str, Any]:
        if "start_timestamp" in given:
            given["start_timestamp"] = 0  # no later than the end, whether that was sent or not
        return self.named(operation, given)

    def body(self, operation: str, body: dict[str, Any], walks: bool) -> dict[str, Any]:
        match operation:
            case "preview_enable" | "legacy_enable":
                body["registered_model_name"] = self.model(self.world.fresh())
            case "preview_disable" | "legacy_disable":
                body["registered_model_name"] = self.model(self.world.fresh())
                self.world.send("POST", f"{self.place}enable", body)
            case "preview_restart_compute_config_update":
                self.fail("broken")
            case "preview_get_version_logs":
                body.pop("replica_id", None)
            case "legacy_update_cluster_config":
                different(body["desired_cluster_config"].get("tags") or [])
        return self.named(operation, body) if not operation.endswith("able") else body

    def model(self, name: str) -> str:
        self.world.send("POST", f"{MLFLOW}/registered-models/create", {"name": name})
        return name

    def named(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        """Return fields with a model and a version that are served."""
        if "registered_model_name" in given:
            given["registered_model_name"] = self.served(operation)
        if "endpoint_version_name" in given:
            given["endpoint_version_name"] = 1 if isinstance(given["endpoint_version_name"], int) else "1"
        return given

    def served(self, operation: str) -> str:
        generation = "preview" if self.place.endswith("v2/") else "legacy"
        return f"{OF_THEIR_OWN.get(operation, SERVED)}-{generation}"

    def fail(self, name: str) -> None:
        """Have an update of a model's first version fail, if none has."""
        model = {"registered_model_name": f"{name}-preview"}
        status = f"{self.place}get-version-status?{urlencode({**model, 'endpoint_version_name': '1'})}"
        for _ in range(LOOKS):
            told = self.world.get(status)["endpoint_status"]
            update = told.get("config_update_status", {"state": "none"})["state"]
            if update == "SERVICE_STATE_FAILED":
                return
            if update == "none":
                spec = {"workload_size_id": "Large"}
                change = {**model, "stage": "Staging", "desired_workload_config_spec": spec}
                self.world.send("PUT", f"{self.place}update-compute-config", change)
        raise AssertionError(f"the update of {name} does not fail")


def different(tags: list[Any]) -> None:
    """Give tags keys of their own."""
    for number, tag in enumerate(tags):
        tag["key"] = f"k{number}"
