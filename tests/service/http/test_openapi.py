"""The OpenAPI document, and the service against requests made from it."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from serve.api import make_app

KEY = "the-key-of-these-tests"
schema = schemathesis.openapi.from_dict(make_app().openapi())

pytestmark = pytest.mark.timeout(240)


def test_the_document_has_examples_and_names_the_problems():
    document = make_app().openapi()
    sample = document["components"]["schemas"]["Sample"]
    assert {"rows": 5, "seed": 7} in sample["examples"]
    call = document["paths"]["/v1/models/{model}/sample"]["post"]
    assert "text/csv" in call["responses"]["200"]["content"]
    assert {"401", "404", "422", "503"} <= call["responses"].keys()


def test_the_document_names_the_key_and_the_problems_that_can_happen_only():
    calls = make_app().openapi()["paths"]
    assert calls["/healthz"]["get"]["security"] == []
    assert calls["/healthz"]["get"]["responses"].keys() == {"200"}
    assert calls["/v1/models"]["get"]["responses"].keys() == {"200", "401", "503"}
    of_a_body = {"400", "408", "413", "415"}
    for path, by_method in calls.items():
        for method, call in by_method.items():
            assert (method == "post") == (of_a_body <= call["responses"].keys()), path


def test_the_examples_run(http):
    document = make_app().openapi()
    posted = [(path, c["post"]) for path, c in document["paths"].items() if "post" in c]
    ran = 0
    for path, call in posted:
        body = call["requestBody"]["content"]["application/json"]["schema"]
        wanted = document["components"]["schemas"][body["$ref"].rpartition("/")[2]]
        for example in wanted["examples"]:
            answer = http.post(path.replace("{model}", "claims"), json=example)
            assert answer.is_success, (path, answer.text)
            ran += 1
            if path.endswith("/batches"):
                http.delete(f"/v1/batches/{answer.json()['id']}")
    assert ran >= len(posted)


@schema.parametrize()
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
def test_no_request_breaks_the_service(case, url):
    if case.operation.path.endswith("/batches") and case.method == "POST":
        case.path_parameters["model"] = "nobody"  # no jobs of nonsense
    elif "model" in case.path_parameters:
        case.path_parameters["model"] = "claims"
    headers = {"Authorization": f"Bearer {KEY}"}
    answer = case.call(base_url=url, headers=headers)
    assert answer.status_code < 500, answer.text
    try:
        case.validate_response(
            answer, checks=[status_code_conformance, response_schema_conformance]
        )
    except FailureGroup as failures:
        raise AssertionError([str(one) for one in failures.exceptions]) from None
