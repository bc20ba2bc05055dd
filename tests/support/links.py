"""The links of an OpenAPI document, followed: each is asked with what an answer holds, as a client would.

https://spec.openapis.org/oas/v3.1.1.html#runtime-expressions
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import httpx

Json = dict[str, object]
LATE = (httpx.codes.CONFLICT, httpx.codes.PRECONDITION_FAILED)
"""Of what another link did before."""


class Nothing(LookupError):
    """An expression finds nothing: its link leads nowhere."""


@dataclass(frozen=True)
class Asked:
    """A request by its parts, and its answer."""

    path: Json
    query: Json
    body: object
    answer: httpx.Response

    def value(self, expression: object) -> object:
        """What an expression, or what holds expressions, comes to. Raises Nothing."""
        if isinstance(expression, dict):
            return {name: self.value(one) for name, one in expression.items()}
        if isinstance(expression, list):
            return [self.value(one) for one in expression]
        if not (isinstance(expression, str) and expression.startswith("$")):
            return expression
        found = self._found(*expression[1:].split(".", 2))
        if found is None:
            raise Nothing(expression)
        return found

    def _found(self, side: str, where: str, name: str = "") -> object:
        where, _, pointer = where.partition("#")
        match side, where:
            case "response", "header":
                return self.answer.headers.get(name)
            case "response", "body":
                return _at(self.answer.json(), pointer)
            case "request", "body":
                return _at(self.body, pointer)
            case "request", "path" | "query":
                return (self.path if where == "path" else self.query).get(name)
        raise ValueError(f"no expression that is known: ${side}.{where}")


def _at(value: object, pointer: str) -> object:
    for part in pointer.split("/")[1:]:
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            value = value.get(part) if isinstance(value, dict) else None
    return value


class Operation(NamedTuple):
    """An operation of the document."""

    path: str
    method: str
    said: Json

    @property
    def links(self) -> Iterator[tuple[int, str, Json]]:
        """Its links by status and name."""
        for status, answer in cast(dict[str, Json], self.said["responses"]).items():
            for name, link in cast(dict[str, Json], answer.get("links", {})).items():
                yield int(status), name, link

    def examples(self, where: str) -> Json:
        """What its parameters there are, as the document has examples."""
        parameters = cast(list[Json], self.said.get("parameters", []))
        return {str(p["name"]): p["example"] for p in parameters if p["in"] == where and "example" in p}

    @property
    def body(self) -> object:
        """The example of its body; None where it has none."""
        content = cast(dict[str, Json], cast(Json, self.said.get("requestBody", {})).get("content", {}))
        media = content.get("application/json", {})
        return media.get("example", cast(Json, media.get("schema", {})).get("example"))


def operations(document: Mapping[str, object]) -> dict[str, Operation]:
    """By the name that links have for them."""
    return {
        str(said["operationId"]): Operation(path, method, said)
        for path, methods in cast(dict[str, dict[str, Json]], document["paths"]).items()
        for method, said in methods.items()
    }


Key = tuple[str, int, str]
"""A link: the operation that answers, the status, its name."""


@dataclass
class Walk:
    """Where the links of a document lead: how often each did, and of those that led to a refusal the last one."""

    client: httpx.Client
    document: Json
    followed: Counter[Key] = field(default_factory=Counter)
    lost: dict[Key, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._operations = operations(self.document)

    def go(self) -> None:
        """Ask every operation by its example, and follow what its answer leads to: all of one answer before what those
        lead to."""
        for name, one in self._operations.items():
            reached = deque(
                [(name, self._ask(one, one.examples("path"), one.examples("query"), {}, one.body))]
            )
            while reached:
                reached.extend(self._follow(*reached.popleft()))

    def unfollowed(self, *sources: str) -> set[Key]:
        """Links that led nowhere yet: of all operations, or of those named."""
        names = sources or self._operations
        known = {(one, status, name) for one in names for status, name, _ in self._operations[one].links}
        return known - self.followed.keys()

    def _ask(self, operation: Operation, path: Json, query: Json, headers: Json, body: object) -> Asked:
        answer = self.client.request(
            operation.method,
            operation.path.format_map(path),
            params=cast(Mapping[str, str], query),
            headers={"Prefer": "wait=10", **cast(Mapping[str, str], headers)},
            json=body,
        )
        return Asked(path, query, body, answer)

    def _follow(self, source: str, asked: Asked) -> Iterator[tuple[str, Asked]]:
        """What comes of the links of an answer that lead to something new."""
        for status, name, link in self._operations[source].links:
            key, target = (source, status, name), str(link["operationId"])
            if status != asked.answer.status_code or not self._is_new(key, target):
                continue
            try:
                parameters = cast(Json, asked.value(link.get("parameters", {})))
                body = asked.value(link.get("requestBody", self._operations[target].body))
            except Nothing:
                continue
            found = self._ask(self._operations[target], *_placed(self._operations[target], parameters), body)
            if found.answer.is_success or found.answer.status_code in LATE:
                self.followed[key] += 1
                yield target, found
            else:
                self.lost[key] = f"{found.answer.request.url}: {found.answer.text[:300]}"

    def _is_new(self, key: Key, target: str) -> bool:
        """It, or some time what it leads to: another answer may hold more."""
        return key not in self.followed or (self.followed[key] < 3 and bool(self.unfollowed(target)))


def _placed(target: Operation, given: Json) -> tuple[Json, Json, Json]:
    """Parameters of a link by where they stand: path, query, headers."""
    places = {str(p["name"]): str(p["in"]) for p in cast(list[Json], target.said.get("parameters", []))}
    found: dict[str, Json] = {"path": {}, "query": {}, "header": {}}
    for qualified, value in given.items():
        name = qualified.rpartition(".")[2]
        found[places[name]][name] = value
    return found["path"], found["query"], found["header"]
