"""The venue's own documents as judges: OpenAPI for REST, OpenRPC and AsyncAPI for WebSocket. See paradex/README.md.

OpenAPI and OpenRPC name few fields as required and forbid none, so almost any object would pass. Here they are read
strictly: an object has exactly the fields of its schema. What may be missing all the same is listed by the caller, each
with its reason; AsyncAPI says it all itself.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft7Validator

FOLDER = Path(__file__).parent / "paradex"
REF = "#/components/schemas/"

Schema = dict[str, Any]
Optional = Mapping[str, Mapping[str, str]]  # schema name -> field that may be missing -> why


@cache
def openapi() -> dict[str, Any]:
    return dict(json.loads((FOLDER / "openapi.json").read_text()))


@cache
def openrpc() -> dict[str, dict[str, Any]]:
    document = json.loads((FOLDER / "openrpc.json").read_text())
    return {method["name"]: method for method in document["methods"]}


@cache
def asyncapi() -> dict[str, Any]:
    return dict(yaml.safe_load((FOLDER / "asyncapi.yaml").read_text()))


class Rest:
    """Answers of REST calls, judged by OpenAPI. used: the missing fields that were really forgiven."""

    def __init__(self, optional: Optional) -> None:
        self._optional = optional
        self.used: set[tuple[str, str]] = set()

    def operation(self, method: str, path: str) -> dict[str, Any] | None:
        """Return what the document says of a call; a path with names in it before one with a parameter."""
        for template in sorted(openapi()["paths"], key=lambda path: path.count("{")):
            if re.fullmatch(re.sub(r"\{[^/]+\}", "[^/]+", template), path):
                found: dict[str, Any] | None = openapi()["paths"][template].get(method.lower())
                if found is not None:
                    return found
        return None

    def problems(self, schema: Schema | None, body: bytes) -> list[str]:
        """Return what is wrong with a body; a schema of None asks for an empty one or an empty object."""
        if schema is None:
            return [] if body in {b"", b"{}"} else [f"no body is documented, {body[:80]!r} came"]
        instance = json.loads(body)
        strict = self._strict(schema)
        self._note(strict, instance)
        return complaints(strict, instance)

    def _strict(self, schema: Schema) -> Schema:
        """Return the schema without references, its objects closed and their fields required."""
        flat, name = _flat(schema)
        return self._closed(flat, name)

    def _closed(self, schema: Schema, name: str) -> Schema:
        out: Schema = {key: schema[key] for key in ("type", "enum") if key in schema}
        if schema.get("nullable"):
            out["type"] = [schema["type"], "null"]
        if "items" in schema:
            out["items"] = self._strict(schema["items"])
        if isinstance(schema.get("additionalProperties"), dict):
            out["additionalProperties"] = self._strict(schema["additionalProperties"])
        if "properties" in schema:
            may_lack = self._optional.get(name, {})
            out["properties"] = {field: self._strict(value) for field, value in schema["properties"].items()}
            out["required"] = [field for field in schema["properties"] if field not in may_lack]
            out["additionalProperties"] = False
            out["x-lacks"] = [(name, field) for field in may_lack]
        return out

    def _note(self, strict: Schema, instance: Any) -> None:
        if isinstance(instance, list):
            for item in instance:
                self._note(strict.get("items", {}), item)
        elif isinstance(instance, dict):
            self.used |= {(name, field) for name, field in strict.get("x-lacks", ()) if field not in instance}
            for field, value in instance.items():
                self._note(strict.get("properties", {}).get(field, {}), value)


def _flat(schema: Schema) -> tuple[Schema, str]:
    """Return an OpenAPI schema with its reference and its parts taken in, and the name it has in the document."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(REF)
        return _flat(openapi()["components"]["schemas"][name])[0], name
    flat = {key: value for key, value in schema.items() if key != "allOf"}
    names = []
    for part in schema.get("allOf", ()):
        inner, name = _flat(part)
        names += [name] if name else []
        properties = {**flat.get("properties", {}), **inner.get("properties", {})}
        flat = {**inner, **flat, **({"properties": properties} if properties else {})}
    return flat, names[0] if len(names) == 1 else ""


def rpc_result(method: str, lacks: frozenset[str] = frozenset()) -> Schema:
    """Return the strict schema of a method's result. lacks: fields that are there in some cases only."""
    return closed(openrpc()[method]["result"]["schema"], lacks)


def rpc_params(method: str) -> Schema:
    params = openrpc()[method]["params"]
    return {
        "type": "object",
        "properties": {param["name"]: param["schema"] for param in params},
        "required": [param["name"] for param in params if param.get("required")],
        "additionalProperties": False,
    }


def rpc_errors(method: str) -> set[int]:
    return {error["code"] for error in openrpc()[method]["errors"]}


def channel_payload(channel: str) -> Schema:
    """Return AsyncAPI's schema of what comes on a channel, or of what answers a method."""
    for template, described in asyncapi()["channels"].items():
        if re.fullmatch(_pattern(template.removeprefix("/")), channel):
            payload: Schema = described["subscribe"]["message"]["payload"]
            return _resolved(payload)
    raise KeyError(channel)


def closed(schema: Schema, lacks: frozenset[str] = frozenset()) -> Schema:
    """Return the schema with every object closed and every field required, but for those that are not always there."""
    out = {key: value for key, value in schema.items() if key in {"type", "enum", "required"}}
    if "items" in schema:
        out["items"] = closed(schema["items"], lacks)
    if "properties" in schema:
        out["properties"] = {field: closed(value, lacks) for field, value in schema["properties"].items()}
        out["required"] = [field for field in schema["properties"] if field not in lacks]
        out["additionalProperties"] = False
    return out


def complaints(schema: Schema, instance: Any) -> list[str]:
    """Return what is wrong with an instance, as texts that name the place."""
    return [
        f"{error.json_path}: {error.message[:200]}"
        for error in sorted(Draft7Validator(schema).iter_errors(instance), key=lambda error: error.json_path)
    ]


def _pattern(template: str) -> str:
    """Return a channel's name as a pattern: {parameter}, and [a part that may be missing]."""
    out = ""
    for part in re.split(r"(\[[^]]+\]|\{[^}]+\})", template):
        if part.startswith("["):
            out += f"(?:{_pattern(part[1:-1])})?"
        else:
            out += "[^.@]+" if part.startswith("{") else re.escape(part)
    return out


def _resolved(schema: Schema) -> Schema:
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(REF)
        return dict(asyncapi()["components"]["schemas"][name])
    return schema
