"""Scoring as MLflow 2.0 to 3.3 have it, and what the scoring servers of seven of these versions really answered.

`recorded_2_pairs.jsonl`: requests to the models of `conftest`, and the answers by version, without their stack traces.
"""

import json
import re
from pathlib import Path

import pytest

from servesim.payloads import texts
from servesim.payloads.protocol import NEWEST
from servesim.payloads.refusal import Refused
from servesim.payloads.scoring_protocols import protocol_of
from servesim.payloads.signature import Signature

JSON, CSV = "application/json", "text/csv"
RECORDED = ("2.0.1", "2.5.0", "2.6.0", "2.9.2", "2.10.2", "2.22.0", "3.3.2")
PAIRS = [
    json.loads(line) for line in Path(__file__).with_name("recorded_2_pairs.jsonl").read_text("utf-8").splitlines()
]
# Here the words are others, the status is the same: pandas and NumPy say what is wrong with tensors, a set is printed,
# an un-named tensor was named so until 2.13, and a web server has a page of its own for a header that is missing.
OTHER_WORDS = {
    *("signed-inputs_tensors", "signed-instances_tensors", "signed-instances_uneven", "signed-inputs_uneven"),
    *("tensor-instances_named", "tensor-instances_tensors", "tensor-instances_uneven", "tensor-instances_empty"),
    *("tensor-inputs_scalar", "tensor-instances_scalar", "tensor-instances_null", "tensor-inputs_named"),
    *("tensor-inputs_tensors", "tensor-inputs_dict", "named-inputs_named", "named-instances_named"),
    *("signed-two_parameters", "signed-no_type", "signed-prompt_and_split"),
}
SPLIT = '{"columns": ["a"], "index": [0, 1], "data": [[1], [2]]}'
FRAME = f'{{"dataframe_split": {SPLIT}}}'
ONE_OF = texts.REQUIRED_FORMAT.format()
CHANGED = texts.PROTOCOL_CHANGED


def compared(text):
    """Return an answer with sets in one order, and without data, which are printed as pandas and NumPy print them."""
    text = re.sub(r"\{'[^{}]*'\}", lambda found: str(sorted(found[0][1:-1].split(", "))), text)
    return re.sub(r" data '.*?'(?=\. \\nError: | with schema )", " data", text, flags=re.DOTALL)


def differences(version, pair, answer, said):
    """Return in what an answer differs from the one that was recorded."""
    (recorded,) = [one for one in pair["answers"] if version in one["of"]]
    status, body, kind = answer
    found = [] if status == recorded["status"] else [f"{status} for {recorded['status']}"]
    if pair["id"] in OTHER_WORDS:
        return found
    if kind.partition(";")[0] != recorded["type"].partition(";")[0]:
        found.append(kind)
    if compared(said(body)) != compared(recorded["answer"]):
        found.append(said(body))
    return found if (b'"stack_trace": ' in body) == recorded["stack_trace"] else [*found, "stack_trace"]


@pytest.mark.parametrize("version", RECORDED)
def test_recorded(version, ask, said, models):
    wrong = {}
    for pair in PAIRS:
        answer = ask(version, pair["body"], pair["content_type"], **models[pair["model"]]._asdict())
        if found := differences(version, pair, answer, said):
            wrong[pair["id"]] = found
    assert wrong == {}


def message(answer):
    return json.loads(answer[1])["message"]


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("2.0.0", f"{ONE_OF}. Received dictionary with input fields: ['columns', 'index', 'data']. {CHANGED}"),
        ("2.5.0", f"{ONE_OF}. Received dictionary with input fields: ['columns', 'index', 'data']. {CHANGED}"),
        ("2.6.0", f"{ONE_OF}. Received dictionary with input fields: []. {CHANGED}"),
        ("3.3.2", f"{ONE_OF}. Received dictionary with input fields: []. {CHANGED}"),
    ],
)
def test_a_bare_table(version, said, ask):
    answer = ask(version, SPLIT)
    assert (answer[0], json.loads(answer[1])) == (400, {"error_code": "BAD_REQUEST", "message": said})


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("2.0.0", f"{ONE_OF}. Received a list. {CHANGED}"),
        ("2.9.0", f"{ONE_OF}. Received a list. {CHANGED}"),
        ("2.10.0", f"Invalid input. {ONE_OF}. Received a list."),
        ("3.3.0", f"Invalid input. {ONE_OF}. Received a list."),
    ],
)
def test_bare_records(version, said, ask):
    answer = ask(version, '[{"a": 1}]')
    assert (answer[0], json.loads(answer[1])) == (400, {"error_code": "BAD_REQUEST", "message": said})


@pytest.mark.parametrize("version", ["2.0.1", "2.6.0", "2.22.0", "3.3.2"])
@pytest.mark.parametrize("kind", ["application/xml", "application/vnd.apache.parquet", "application/json-numpy-split"])
def test_other_content_types(version, kind, ask):
    known = "This predictor only supports the following content types: Types: ['text/csv', 'application/json']."
    assert ask(version, FRAME, kind) == (415, f"{known} Got '{kind}'.".encode(), "text/plain; charset=utf-8")
    assert ask(version, FRAME, f"{JSON}; charset=latin-1")[:2] == (415, b"The scoring server only supports UTF-8")
    assert ask(version, FRAME, None)[0] == 500


@pytest.mark.parametrize("key", ["signature_name", "params", "foo"])
@pytest.mark.parametrize("form", ["instances", "inputs"])
def test_keys_beside_tensors(key, form, ask):
    body = json.dumps({form: [1, 2], key: {}})
    for version in ("2.0.0", "2.5.2"):
        status, answer, _ = ask(version, body)
        assert (status, json.loads(answer)["error_code"]) == (500, "INTERNAL_ERROR")
        assert ("signature_name" in json.loads(answer)["message"]) == (key == "signature_name")
        assert ask(version, f'{FRAME[:-1]}, "{key}": {{}}}}')[0] == 200
    for version in ("2.6.0", "2.10.0", "3.3.2"):
        assert ask(version, body)[0] == 200


@pytest.mark.parametrize(
    ("version", "unified"),
    [("2.0.0", ()), ("2.9.2", ()), ("2.10.2", ("messages",)), ("2.11.0", ("messages", "prompt", "input"))],
)
def test_requests_of_chats_without_a_wrapper(version, unified, ask):
    for key in ("messages", "prompt", "input"):
        status, answer, _ = ask(version, json.dumps({key: "hello"}), function=lambda rows: "predicted")
        assert (status, json.loads(answer) == "predicted") == ((200, True) if key in unified else (400, False))
        wrapped = ask(version, f'{{"{key}": "hello", {FRAME[1:]}', function=lambda rows: "predicted")
        assert wrapped[1] == (b'"predicted"' if key in unified else b'{"predictions": "predicted"}')


def test_a_chat_keeps_what_stands_beside_its_messages():
    body = b'{"messages": [], "prompt": "x", "n": 1}'
    assert protocol_of("2.10.2").request(body, JSON).body == body
    assert protocol_of("2.10.2").request(b'{"inputs": [1], "prompt": "x"}', JSON).body == b'{"inputs": [1]}'


@pytest.mark.parametrize("version", ["2.0.0", "2.9.2", "2.10.0", "2.22.0", "3.3.2"])
def test_errors_have_no_class(version, ask):
    signature = Signature.of({"a": "double", "b": "double"})
    for body in (SPLIT, FRAME, "{", '{"dataframe_split": 5}', '{"inputs": 5}'):
        answer = ask(version, body, signature=signature)
        assert answer[0] in (400, 500)
        assert json.loads(answer[1]).keys() == {"error_code", "message"}
    newest = protocol_of("3.17.2")
    assert newest is NEWEST
    assert json.loads(ask("3.17.2", SPLIT)[1]).keys() > {"sqlstate", "error_class"}


@pytest.mark.parametrize(
    ("version", "status", "code"), [("2.9.2", 500, "INTERNAL_ERROR"), ("2.10.0", 400, "INVALID_PARAMETER_VALUE")]
)
def test_what_does_not_fit_the_signature(version, status, code, ask):
    answer = ask(version, FRAME, signature=Signature.of({"a": "double", "b": "double"}))
    assert (answer[0], json.loads(answer[1])["error_code"]) == (status, code)
    assert message(answer).endswith("Model is missing inputs ['b'].")


@pytest.mark.parametrize(("version", "stop"), [("2.0.0", ""), ("2.22.0", ""), ("3.2.0", ""), ("3.3.0", ".")])
def test_what_is_there_too_much(version, stop, ask):
    answer = ask(version, FRAME, signature=Signature.of({"b": "double"}))
    assert message(answer).endswith(f"Note that there were extra inputs: ['a']{stop}")


def test_parameters_that_do_not_fit(ask):
    signature = Signature.of({"a": "long"}, {"n": ("long", 1)})
    body = f'{FRAME[:-1]}, "params": {{"n": "x"}}}}'
    assert ask("2.5.0", body, signature=signature)[0] == 200  # it knows of none
    status, answer, _ = ask("2.6.0", body, signature=signature)
    assert (status, json.loads(answer)["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize(("version", "status"), [("2.0.0", 400), ("2.20.4", 400), ("2.21.0", 200), ("3.3.2", 200)])
def test_bodies_were_text_before_they_were_read(version, status, ask):
    assert ask(version, f"\ufeff{FRAME}")[0] == status
    assert ask(version, FRAME.encode("utf-16-le"))[0] == status
    for body in (b'{"inputs": ["\xff"]}', b"\xff"):
        assert ask(version, body)[:2] == (500, b"Internal Server Error")
        assert ask(version, body, CSV)[0] == 500
    assert ask(version, "a\né\n".encode("utf-16"), CSV)[0] == 500


def test_what_cannot_be_parsed_here_is_chosen():
    deep = b'{"inputs": %b1%b}' % (b"[" * 300, b"]" * 300)
    with pytest.raises(Refused) as refused:
        protocol_of("2.0.1").request(deep, JSON)
    assert (refused.value.status, refused.value.evidence) == (400, "chosen")


@pytest.mark.parametrize(("version", "grade"), [("1.30.1", "chosen"), ("2.20.4", "chosen"), ("2.21.0", "recorded")])
def test_a_missing_content_type_had_a_page_of_its_own(version, grade):
    with pytest.raises(Refused) as refused:
        protocol_of(version).request(FRAME.encode(), None)
    assert (refused.value.status, refused.value.evidence) == (500, grade)


@pytest.mark.parametrize("version", ["2.0.1", "2.9.2", "2.10.2", "3.3.2"])
def test_what_is_taken_keeps_its_bytes(version):
    for body in (FRAME, '{"inputs": [0.1000000000000000055, NaN]}'):
        assert protocol_of(version).request(body.encode(), JSON).body == body.encode()
    assert protocol_of(version).outcome(200, b'{"predictions": [NaN]}') == (200, b'{"predictions": [NaN]}')
    ended = b'{"error_code": "TEMPORARILY_UNAVAILABLE"}'
    assert protocol_of(version).outcome(503, ended) == (503, ended)


@pytest.mark.parametrize(("version", "newest"), [("2.0.0", False), ("2", False), ("3.3.9", False), ("3.4.0", True)])
def test_which_versions(version, newest):
    assert (protocol_of(version) is NEWEST) == newest
