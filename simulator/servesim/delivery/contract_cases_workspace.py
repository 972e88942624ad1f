"""Cases of what surrounds serving: who calls, OAuth's discovery, permissions, secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.contracts.conformity import FORM
from servesim.delivery.client import ENDPOINTS, endpoint_path
from servesim.delivery.contract_cases_control import MISSING
from servesim.delivery.contract_talk import NotRun, dig, named, rows

if TYPE_CHECKING:
    from servesim.delivery.contract_talk import Talk

ME = "/api/2.0/preview/scim/v2/Me"
WORKSPACE_ID = "X-Databricks-Org-Id"
WELL_KNOWN = "/.well-known/databricks-config"
PERMISSIONS = "/api/2.0/permissions/serving-endpoints"
SECRETS = "/api/2.0/secrets"
SCOPE = "servesim-contract"
KEY = "value"
SECRET_VALUE = "not-to-be-shown-7f3a91c2"  # noqa: S105 - a value to look for in answers
LEVELS = {"CAN_VIEW", "CAN_QUERY", "CAN_MANAGE"}
NO_ID = "0" * 32


def who_calls(talk: Talk) -> None:
    """The caller is told its name; a header has the workspace's id, which is how clients learn it."""
    answered = talk.get(ME)
    if talk.status(answered):
        talk.that(str(answered.headers.get(WORKSPACE_ID, "")).isdecimal(), f"a header {WORKSPACE_ID} with a number")
        talk.that(dig(answered.document, "userName"), "a userName")


def who_calls_needs_a_token(talk: Talk) -> None:
    """Nobody is told who an unknown caller is."""
    talk.refused(talk.get(ME, token=""), 401, 401)


def host_discovery(talk: Talk) -> None:
    """Where OAuth is found is told without a token, as every client asks when it is made."""
    answered = talk.get(WELL_KNOWN, token="")
    if talk.status(answered):
        talk.that(str(dig(answered.document, "oidc_endpoint")).startswith("http"), "the URL of an oidc_endpoint")


def permission_levels(talk: Talk) -> None:
    """The levels of an endpoint are CAN_VIEW, CAN_QUERY and CAN_MANAGE; endpoints go by their id here."""
    answered = talk.get(f"{PERMISSIONS}/{_endpoint_id(talk)}/permissionLevels")
    if talk.status(answered):
        found = {one.get("permission_level") for one in rows(answered.document, "permission_levels")}
        talk.that(found == LEVELS, f"the levels {', '.join(sorted(LEVELS))}")


def permissions(talk: Talk) -> None:
    """The permissions of an endpoint name who has them and whether they are inherited."""
    number = _endpoint_id(talk)
    answered = talk.get(f"{PERMISSIONS}/{number}")
    if talk.status(answered):
        talk.same("object_id", dig(answered.document, "object_id"), f"/serving-endpoints/{number}")


def permissions_of_nothing(talk: Talk) -> None:
    """An id that no endpoint has is refused with 404 RESOURCE_DOES_NOT_EXIST."""
    for end in ("", "/permissionLevels"):
        talk.refused(talk.get(f"{PERMISSIONS}/{NO_ID}{end}"), 404, "RESOURCE_DOES_NOT_EXIST")


def secret_scopes(talk: Talk) -> None:
    """The scopes that the caller may read are listed; the keys of one that is not there are refused."""
    talk.status(talk.get(f"{SECRETS}/scopes/list"))
    talk.refused(talk.get(f"{SECRETS}/list?scope={MISSING}"), 404, "RESOURCE_DOES_NOT_EXIST")


def a_client_that_nobody_knows(talk: Talk) -> None:
    """A client with a wrong secret gets no access token, and an error as OAuth has it."""
    form = b"grant_type=client_credentials&scope=all-apis&client_id=servesim-contract&client_secret=wrong"
    answered = talk.send("POST", "/oidc/v1/token", form, content_type=FORM, token="")
    if talk.status(answered, 401):
        talk.same("error", dig(answered.document, "error"), "invalid_client")


def a_secret(talk: Talk) -> None:
    """A secret is kept and listed by its key; its value stands in no answer of this whole run."""
    create = {"scope": SCOPE}
    if any(one.get("name") == SCOPE for one in rows(talk.get(f"{SECRETS}/scopes/list").document, "scopes")):
        raise NotRun(f"there is a scope {SCOPE} already, left by a check that was cut off: delete it")
    talk.hide(SECRET_VALUE)
    if not talk.status(talk.send("POST", f"{SECRETS}/scopes/create", create)):
        return
    talk.undo[f"secret scope {SCOPE}"] = lambda: talk.send("POST", f"{SECRETS}/scopes/delete", {"scope": SCOPE})
    put = {"scope": SCOPE, "key": KEY, "string_value": SECRET_VALUE}
    if talk.status(talk.send("POST", f"{SECRETS}/put", put)):
        talk.kept["reference"] = f"{{{{secrets/{SCOPE}/{KEY}}}}}"
    listed = talk.get(f"{SECRETS}/list?scope={SCOPE}")
    if talk.status(listed):
        talk.same("keys", [one.get("key") for one in rows(listed.document, "secrets")], [KEY])
    talk.refused(talk.send("POST", f"{SECRETS}/scopes/create", create), 400, "RESOURCE_ALREADY_EXISTS")
    talk.status(talk.get(f"{SECRETS}/acls/list?scope={SCOPE}"))


def _endpoint_id(talk: Talk) -> str:
    if talk.plan.endpoint is not None:
        answer = talk.get(endpoint_path(talk.plan.endpoint)).document
        found = [answer] if isinstance(answer, dict) else []
    else:
        found = rows(talk.get(ENDPOINTS).document, "endpoints")
    for number in named(found, "id"):
        return number
    raise NotRun("there is no endpoint whose permissions could be read")


READING = (
    who_calls,
    who_calls_needs_a_token,
    host_discovery,
    permission_levels,
    permissions,
    permissions_of_nothing,
    secret_scopes,
)
KEEPING = (a_client_that_nobody_knows, a_secret)
