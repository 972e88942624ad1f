"""What schemathesis finds in Unity Catalog: names that exist, in the state that a call needs, and files of versions."""

from __future__ import annotations

from typing import Any

MLFLOW = "/api/2.0/mlflow/unity-catalog"
FILES = "/api/2.0/fs"
STEPS = (
    "uc_create_registered_model",
    "uc_create_model_version",
    "uc_finalize_model_version",
    "uc_set_registered_model_alias",
    "uc_get_model_version_by_alias",
    "uc_delete_registered_model",
)
WALK = (STEPS, f"{MLFLOW}/registered-models/delete?name=", "registered_model")
SCHEMA = "main.schemathesis"
KEPT, OTHERS = f"{SCHEMA}.kept", f"{SCHEMA}.others"
"""A model that is read and changed, with a version whose files are there; and one that gets versions and loses them."""
MLMODEL = b"""\
flavors:
  python_function:
    loader_module: made_up
    env: {conda: conda.yaml}
"""
UPLOADED = {"MLmodel": MLMODEL, "conda.yaml": b"dependencies: [{pip: [mlflow==3.1.0]}]\n"}


class Names:
    """The models of Unity Catalog that there are, and their files."""

    REPEATS = True
    """Every request is offered what it needs, as often as it is sent."""

    def __init__(self, world: Any) -> None:
        self.world = world
        for name in (KEPT, OTHERS):
            self.create(name)
        self.version(KEPT)
        self.upload(KEPT, "1")
        self.world.send("POST", f"{MLFLOW}/model-versions/finalize", {"name": KEPT, "version": "1"})
        self.world.send(
            "POST", f"{MLFLOW}/registered-models/alias", {"name": KEPT, "version": "1", "alias": "champion"}
        )
        self.open = self.version(OTHERS)
        """A version that takes files."""

    def create(self, name: str) -> str:
        self.world.send("POST", f"{MLFLOW}/registered-models/create", {"name": name})
        return name

    def fresh(self) -> str:
        return f"{SCHEMA}.{self.world.fresh()}"

    def version(self, name: str) -> str:
        told = self.world.send("POST", f"{MLFLOW}/model-versions/create", {"name": name, "source": "/nowhere"})
        return str(told["model_version"]["version"])

    def upload(self, name: str, version: str) -> None:
        for path, content in UPLOADED.items():
            url = f"{self.world.url}{FILES}/files/Models/{placed(name, version, path)}"
            self.world.session.put(url, data=content, timeout=60)

    # --- what requests name ---------------------------------------------------------------------------

    def path(self, operation: str, given: dict[str, Any], walks: bool) -> dict[str, Any]:
        if "file_path" in given:
            return given | {"file_path": self.file(operation)}
        if "directory_path" in given:
            made = placed(OTHERS, self.open, "a")
            return given | {"directory_path": made if operation == "create_directory" else placed(KEPT, "1")}
        if walks and given["full_name"] in self.world.made:
            return given
        match operation:
            case "catalog_delete_model" | "catalog_update_model":
                given["full_name"] = self.create(self.fresh())
            case "catalog_delete_model_version" | "catalog_finalize_model_version":
                given |= {"full_name": OTHERS, "version": self.version(OTHERS)}
            case "catalog_delete_alias":
                given["full_name"] = OTHERS
            case _:
                given["full_name"] = KEPT
                given |= {name: value for name, value in {"version": "1", "alias": "champion"}.items() if name in given}
        return given

    def file(self, operation: str) -> str:
        match operation:
            case "upload_file" | "begin_upload":
                return placed(OTHERS, self.open, self.world.fresh())
            case "delete_file":
                self.upload(OTHERS, self.open)
                return placed(OTHERS, self.open, "MLmodel")
            case "upload_by_signed_url" | "abort_by_signed_url":
                return "Models/" + placed(OTHERS, self.open, "signed")
            case "download_by_signed_url":
                return "Models/" + placed(KEPT, "1", "MLmodel")
        return placed(KEPT, "1", "MLmodel")

    def query(self, operation: str, given: dict[str, Any], walks: bool) -> dict[str, Any]:
        given.pop("page_token", None)
        if "token" in given:
            return given | {"token": self.token(operation)}
        if {"catalog_name", "schema_name"} & given.keys():
            catalog, schema = SCHEMA.split(".")
            given |= {"catalog_name": catalog, "schema_name": schema}
        known = {"filter": f"name = '{KEPT}'", "path": f"/Models/{placed(KEPT, '1', 'MLmodel')}", "alias": "champion"}
        given |= {name: value for name, value in known.items() if name in given and not walks}
        return self.named(operation, given, walks)

    def token(self, operation: str) -> str:
        """Return what makes an address of a file good."""
        kind, wanted = {
            "upload_by_signed_url": ("upload", (OTHERS, self.open, "signed")),
            "download_by_signed_url": ("download", (KEPT, "1", "MLmodel")),
            "abort_by_signed_url": ("abort-upload", (OTHERS, self.open, "signed")),
        }[operation]
        told = self.world.send("POST", f"{FILES}/create-{kind}-url", {"path": f"/Models/{placed(*wanted)}"})
        return str(told.get("abort_upload_url", told)["url"]).rpartition("=")[2]

    def body(self, operation: str, body: dict[str, Any], walks: bool) -> dict[str, Any]:
        made = self.made(operation, body)
        return self.named(operation, body, walks) if made is None else body | made

    def made(self, operation: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """Return what a body names that has a form or a place of its own; None for a model that is there."""
        found: dict[str, Any] | None = None
        match operation:
            case "uc_create_registered_model":
                found = {"name": self.fresh()}
            case "uc_update_registered_model":
                found = {"name": self.create(self.fresh())} | renamed(body, self.fresh())
            case "catalog_create_model":
                found = self.levels(self.fresh(), "name")
            case "catalog_update_model":
                found = renamed(body, self.fresh()) | {"owner": None}
            case "catalog_create_model_version":
                found = self.levels(OTHERS, "model_name")
            case "catalog_generate_temporary_credentials":
                name, version = self.opened(body["operation"] == "READ_MODEL_VERSION")
                found = self.levels(name, "model_name") | {"version": version}
            case "uc_generate_temporary_credentials":
                name, version = self.opened(body["operation"] == "MODEL_VERSION_OPERATION_READ")
                found = {"name": name, "version": version}
            case "create_upload_url" | "create_upload_part_urls" | "create_abort_upload_url":
                found = {"path": f"/Models/{placed(OTHERS, self.open, self.world.fresh())}"}
            case "catalog_set_alias":
                found = {"version_num": 1}
        return found

    def opened(self, reads: bool) -> tuple[str, str]:
        """Return a version whose files can be read, or written."""
        return (KEPT, "1") if reads else (OTHERS, self.open)

    def levels(self, name: str, last: str) -> dict[str, str]:
        return dict(zip(("catalog_name", "schema_name", last), name.split("."), strict=True))

    def named(self, operation: str, given: dict[str, Any], walks: bool) -> dict[str, Any]:
        """Return fields with a model, and a version, that are there; those of a walk stay."""
        if "name" not in given:
            return given
        if walks and ((waiting := self.world.waiting(STEPS, operation)) or given["name"] in self.world.made):
            known = {"name": waiting or given["name"], "version": "1", "alias": "champion"}
            if operation == "uc_finalize_model_version":
                self.upload(known["name"], "1")
            return given | {name: value for name, value in known.items() if name in given}
        match operation:
            case "uc_delete_registered_model":
                given["name"] = self.create(self.fresh())
            case "uc_delete_model_version" | "uc_finalize_model_version":
                given |= {"name": OTHERS, "version": self.version(OTHERS)}
            case "uc_create_model_version" | "uc_delete_registered_model_alias":
                given["name"] = OTHERS
            case _:
                given["name"] = KEPT
                if "version" in given:
                    given["version"] = 1 if isinstance(given["version"], int) else "1"
        return given


def placed(name: str, version: str, path: str = "") -> str:
    """Return where a file of a version is, below `/Models`."""
    return "/".join([*name.split("."), version, *([path] if path else [])])


def renamed(body: dict[str, Any], name: str) -> dict[str, str]:
    """Return a new name in place of the one that a body has."""
    return {"new_name": name} if body.get("new_name") is not None else {}
