"""The way from the retired generations: what is planned, and the script of it; pure."""

from __future__ import annotations

import ast
import json

import pytest

from servesim.delivery.migration.plan_text import describe_plan, plan_lines
from servesim.delivery.migration.script import _text, script_of
from servesim.delivery.migration.served import (
    Inventory,
    ServedCompute,
    ServedModel,
    ServedVersion,
    published_ends,
)
from servesim.delivery.migration.steps import LONGEST_NAME, Grant, Wishes, endpoint_name, identifier, plan_of

ODD = "a 'model' of \"ours\"\\\n# ünd more"


def version(number, stage="None", state="READY", message=""):
    return ServedVersion(number, stage, state, message)


def legacy(model="modelA", *versions, aliases=()):
    versions = versions or (version("1", "Production"), version("2", "Staging"))
    aliases = aliases or tuple((one.stage, one.number) for one in versions if one.stage != "None")
    return ServedModel(model, "legacy", "READY", versions, aliases, (ServedCompute(node_type="m5.large"),))


def preview(model="modelA", *versions, compute=(), aliases=()):
    served = legacy(model, *versions, aliases=aliases)
    return ServedModel(model, "serverless_preview", "READY", served.versions, served.aliases, compute)


def planned(*models, grants=None, **wishes):
    told = {one.model: () for one in models} | (grants or {})
    return plan_of(Inventory(0, models, published_ends()), told, Wishes(**wishes))


def shape(move):
    return [(one.name, one.version, one.size, one.scale_to_zero) for one in move.targets]


def test_a_model_gets_the_published_endpoint_for_each_stage():
    (move,) = planned(legacy(), catalog="prod", schema="ml").moves
    assert shape(move) == [("modelA-Staging", "2", "Small", True), ("modelA-Production", "1", "Small", True)]
    assert (move.entity, move.versions) == ("prod.ml.modelA", ("1", "2"))
    assert [(one.old_path, one.new_path) for one in move.targets] == [
        ("/model/modelA/Staging/invocations", "/serving-endpoints/modelA-Staging/invocations"),
        ("/model/modelA/Production/invocations", "/serving-endpoints/modelA-Production/invocations"),
    ]


def test_the_body_of_a_create_is_the_published_one():
    described = describe_plan(planned(legacy("model-A"), keep_registry=True))
    entity = {
        "entity_name": "model-A",
        "entity_version": "2",
        "workload_size": "Small",
        "scale_to_zero_enabled": True,
    }
    first = described["moves"][0]["endpoints"][0]
    assert first["body"] == {"name": "model-A-Staging", "config": {"served_entities": [entity]}}


def test_the_compute_of_the_preview_goes_along():
    compute = (ServedCompute("Staging", "Medium", scale_to_zero=True), ServedCompute("Production", "Large"))
    (move,) = planned(preview(compute=compute)).moves
    assert shape(move) == [("modelA-Staging", "2", "Medium", True), ("modelA-Production", "1", "Large", False)]
    assert move.targets[0].old_path == "/model-endpoint/modelA/Staging/invocations"
    assert not move.notes


@pytest.mark.parametrize("wish", [True, False])
def test_scaling_to_zero_can_be_decided_for_all(wish):
    moves = planned(legacy("a"), preview("b", compute=(ServedCompute("Staging", "Large"),)), scale_to_zero=wish).moves
    assert {target.scale_to_zero for move in moves for target in move.targets} == {wish}


def test_a_model_on_both_moves_once_and_leaves_both():
    (move,) = planned(legacy(), preview(compute=(ServedCompute("Staging", "Large"),))).moves
    assert move.generations == ("serverless_preview", "legacy")
    assert shape(move)[0] == ("modelA-Staging", "2", "Large", False)


def test_the_version_of_a_stage_is_the_one_that_its_url_calls():
    versions = (version("9", "Production"), version("10", "Production"), version("11", "Production", "PENDING"))
    (move,) = planned(preview("m", *versions, aliases=(("Production", "10"),))).moves
    assert [(one.name, one.version) for one in move.targets] == [("m-Production", "10")]
    assert move.versions == ("9", "10", "11")  # by number, not as text
    assert any("version 9, 11 can be scored by number alone" in note for note in move.notes)


def test_without_stages_the_newest_version_gets_the_only_endpoint():
    (move,) = planned(legacy("m", version("9"), version("10"))).moves
    assert [(one.name, one.version, one.old_path) for one in move.targets] == [("m", "10", "/model/m/10/invocations")]


def test_what_has_failed_stays_behind_and_is_told():
    (move,) = planned(legacy("m", version("1", "Production"), version("2", "None", "FAILED"))).moves
    assert move.versions == ("1",)
    assert any("version 2 has failed" in note for note in move.notes)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        pytest.param(legacy("main.ml.x"), "in Unity Catalog already", id="in Unity Catalog"),
        pytest.param(ServedModel("x", "legacy", "READY"), "no version of it is served", id="no version"),
        pytest.param(legacy("x", version("1", "Staging", "FAILED", "no conda")), "version 1: no conda", id="failed"),
    ],
)
def test_a_model_that_cannot_go_is_told_with_the_reason(model, why):
    plan = planned(model, legacy("y"))
    ((name, told),) = plan.staying
    assert (name, why in told) == (model.model, True)
    assert [move.model for move in plan.moves] == ["y"]
    assert why in " ".join(" ".join(plan_lines(plan)).split())
    assert why in " ".join(script_of(plan).split())


def test_names_are_those_that_endpoints_and_unity_catalog_take():
    assert endpoint_name("a model/of.ours", "Staging") == "a-model-of-ours-Staging"
    assert len(endpoint_name("m" * 100, "Production")) == LONGEST_NAME
    assert endpoint_name("...", "") == "model"
    assert identifier("a model/of.ours") == "a_model_of_ours"


def test_two_models_never_share_an_endpoint():
    plan = planned(legacy("a b"), legacy("a-b"), legacy("a.b"))
    names = [target.name for move in plan.moves for target in move.targets]
    assert names == [
        "a-b-Staging",
        "a-b-Production",
        "a-b-Staging-2",
        "a-b-Production-2",
        "a-b-Staging-3",
        "a-b-Production-3",
    ]
    assert [move.entity for move in plan.moves] == ["main.default.a_b", "main.default.a-b", "main.default.a_b-2"]


def test_names_that_differ_in_case_alone_are_the_same_to_unity_catalog():
    plan = planned(legacy("churn"), legacy("Churn"))
    assert [move.entity for move in plan.moves] == ["main.default.churn", "main.default.Churn-2"]


GRANTS = {"modelA": (Grant("group_name", "analysts", "CAN_QUERY"), Grant("user_name", "ann@example.com", "CAN_MANAGE"))}


def test_the_steps_stand_in_their_order():
    lines = list(plan_lines(planned(legacy(), grants=GRANTS, schema="ml")))
    steps = [line.split(". ")[1] for line in lines if line[:2] == "  " and line[2:3].isdigit()]
    assert steps == [
        "Register versions 1, 2 in Unity Catalog as main.ml.modelA; aliases staging",
        "Create",
        "Wait until READY",
        "Grant, on each endpoint",
        "Compare the predictions for the input example of each version, old against",
        "Send callers elsewhere",
        "Turn legacy serving off, once nobody calls it: with --cut-over",
    ]
    waits = lines.index("  3. Wait until READY")
    assert lines[waits + 1 : waits + 3] == [
        "     GET /api/2.0/serving-endpoints/modelA-Staging",
        "     GET /api/2.0/serving-endpoints/modelA-Production",
    ]
    text = " ".join("\n".join(lines).split())
    assert '{"dataframe_split": {"columns": [...], "data": [...]}}' in text
    assert 'POST /api/2.0/preview/mlflow/endpoints/disable {"registered_model_name": "modelA"}' in text
    assert max(map(len, lines)) <= 80


def calls_in(script):
    """The calls of a script's moves and of its end, in their order."""
    tree = ast.parse(script)
    within = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("move_")]
    within += [node for node in tree.body if isinstance(node, ast.Expr)]
    return [
        call.func.id
        for node in within
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    ]


def test_the_script_does_the_steps_and_leaves_the_old_serving_on():
    script = script_of(planned(legacy(), grants=GRANTS))
    assert set(calls_in(script)) == {"register", "create", "wait", "permit", "is_on", "compare", "example"}
    assert '\n# disable("modelA", LEGACY)\n' in script
    assert calls_in(script_of(planned(legacy(), cut_over=True)))[-1] == "disable"


def test_nothing_is_turned_off_once_something_went_wrong():
    script = script_of(planned(legacy(), cut_over=True))
    assert script.index("sys.exit(1)") < script.index('\ndisable("modelA", LEGACY)')


def test_a_script_without_copies_and_examples_needs_no_mlflow():
    script = script_of(planned(legacy(), keep_registry=True, examples={"modelA": {"inputs": [[1.5]]}}))
    assert "mlflow" not in script.replace("/mlflow/", "").replace("MLflow 1.x", "")
    assert "compare(" in script
    assert "{'inputs': [[1.5]]}" in script


def test_the_same_plan_gives_the_same_script():
    assert script_of(planned(legacy(), preview("b"))) == script_of(planned(legacy(), preview("b")))


@pytest.mark.parametrize("keep_registry", [True, False])
def test_odd_names_break_no_script(keep_registry):
    grants = {ODD: (Grant("user_name", ODD, "CAN_QUERY"),)}
    plan = planned(legacy(ODD), grants=grants, keep_registry=keep_registry, cut_over=True)
    found = [node.value for node in ast.walk(ast.parse(script_of(plan))) if isinstance(node, ast.Constant)]
    assert ODD in found
    assert all(line.isprintable() for line in plan_lines(plan))
    json.dumps(describe_plan(plan))


@pytest.mark.parametrize("text", [ODD, "\\'", '\\"', "'", '"', "\\", "\x00\u2028\ud800", "é"])
def test_every_text_is_written_as_what_it_is(text):
    assert ast.literal_eval(_text(text)) == text


def test_a_long_request_is_written_over_several_lines():
    example = {"dataframe_split": {"columns": [f"column {number}" for number in range(40)], "data": [[0.5] * 40]}}
    script = script_of(planned(legacy(), examples={"modelA": example}))
    assert max(map(len, script.splitlines())) <= 120
    assert example in [
        ast.literal_eval(node)
        for node in ast.walk(ast.parse(script))
        if isinstance(node, ast.Dict) and node.keys and getattr(node.keys[0], "value", "") == "dataframe_split"
    ]
