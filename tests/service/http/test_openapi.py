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
