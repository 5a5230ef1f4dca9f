"""What commands print with ``--json``, held to the schema of what it says it is."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from akgflow.api import DOCUMENTS, document_schema
from akgflow.base.serial import DOCUMENT_VERSION


@cache
def validator(name: str) -> Draft202012Validator:
    """Checks documents of this name."""
    schema = document_schema(name)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def document(text: str) -> Any:
    """The fields of a printed document, which must fit its schema."""
    data = json.loads(text)
    assert data["document"] in DOCUMENTS, data["document"]
    wrong = [f"{error.json_path}: {error.message}" for error in validator(data["document"]).iter_errors(data)]
    assert not wrong, wrong
    assert data.pop("version") == DOCUMENT_VERSION
    del data["document"]
    return data
