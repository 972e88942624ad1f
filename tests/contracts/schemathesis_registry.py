"""What schemathesis finds in the model registry: names that exist, in the state that a call needs."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import Any

REGISTRY = "/api/2.0/mlflow"
STEPS = (
    "create_registered_model",
    "create_model_version",
    "transition_stage",
    "get_model_version",
    "delete_registered_model",
)
WALK = (STEPS, f"{REGISTRY}/registered-models/delete?name=", "registered_model")
KEPT, OTHERS = "kept", "others"
"""A model that is read and changed, with a version whose files are there; and one that gets versions and loses them."""
EXTERNAL = "/databricks/mlflow/tmp-external-source"
NOWHERE = "dbfs:/nowhere"
MLMODEL = """\
flavors:
  python_function:
    loader_module: made_up
    env: {conda: conda.yaml}
"""


class Names:
    """The models of the registry that there are."""

    REPEATS = True
    """Every call can be repeated: what it takes away is made anew."""

    def __init__(self, world: Any) -> None:
        self.world = world
        folder = Path(tempfile.mkdtemp(prefix="servesim-contract-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        (folder / "MLmodel").write_text(MLMODEL)
        (folder / "conda.yaml").write_text("dependencies: [{pip: [mlflow==3.1.0]}]\n")
        for name in (KEPT, OTHERS):
            self.create(name)
        self.version(KEPT, str(folder))
        self.world.session.post(f"{self.world.url}/dbfs{EXTERNAL}/{KEPT}/MLmodel", data=MLMODEL, timeout=60)
        told = self.world.get(f"{REGISTRY}/databricks/registered-models/get?name={KEPT}")
        self.id = told["registered_model_databricks"]["id"]

    def create(self, name: str) -> str:
        self.world.send("POST", f"{REGISTRY}/registered-models/create", {"name": name})
        return name

    def version(self, name: str, source: str = NOWHERE) -> str:
        body = {"name": name, "source": source}
        return str(self.world.send("POST", f"{REGISTRY}/model-versions/create", body)["model_version"]["version"])

    def path(self, operation: str, given: dict[str, Any], walks: bool) -> dict[str, Any]:
        if "file_path" in given:
            return {"file_path": f"{KEPT}/{self.world.fresh()}"}
        return given | {"id": self.id}

    def query(self, operation: str, given: dict[str, Any], walks: bool) -> dict[str, Any]:
        given.pop("page_token", None)
        if operation == "list_external_files":
            return {"path": f"{EXTERNAL}/{KEPT}"}
        known = {"filter": f"name = '{KEPT}'", "order_by": ["name ASC"], "path": "MLmodel"}
        given |= {name: value for name, value in known.items() if name in given}
        return self.placed(operation, given, walks)

    def body(self, operation: str, body: dict[str, Any], walks: bool) -> dict[str, Any]:
        match operation:
            case "create_registered_model":
                return body | {"name": self.world.fresh()}
            case "rename_registered_model":
                return body | {"name": self.create(self.world.fresh()), "new_name": self.world.fresh()}
            case "create_model_version":
                body["source"] = NOWHERE
            case "transition_stage" | "transition_databricks_stage":
                if walks:
                    body["stage"] = "Archived"  # what is in an active stage cannot be deleted
                if body["stage"].title() not in {"Staging", "Production"}:
                    body.pop("archive_existing_versions", None)
        return self.placed(operation, body, walks)

    def placed(self, operation: str, given: dict[str, Any], walks: bool) -> dict[str, Any]:
        """Return fields with a model, and a version, that are there; those of a walk stay."""
        if "name" not in given:
            return given
        if walks and ((waiting := self.world.waiting(STEPS, operation)) or given["name"] in self.world.made):
            return given | {"name": waiting or given["name"]} | ({"version": "1"} if "version" in given else {})
        match operation:
            case "delete_registered_model":
                given["name"] = self.create(self.world.fresh())
            case "delete_model_version":
                given |= {"name": OTHERS, "version": self.version(OTHERS)}
            case "create_model_version":
                given["name"] = OTHERS
            case _:
                given["name"] = KEPT
                if "version" in given:
                    given["version"] = 1 if isinstance(given["version"], int) else "1"
        return given
