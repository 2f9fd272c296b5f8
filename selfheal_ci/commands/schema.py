"""Prints the JSON Schemas of the files that others read."""

from __future__ import annotations

import json

from selfheal_ci import config
from selfheal_ci.deliver import artifact


def schema_text(name: str) -> str:
    """The schema of `heal`, `config` or `publish`, as JSON."""
    schemas = {"heal": artifact.schema, "config": config.schema, "publish": artifact.publish_schema}
    return json.dumps(schemas[name](), indent=2, ensure_ascii=False)
