"""GitHub's expressions, as far as they can be answered without the forge."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

_TOKEN = re.compile(
    r"\s*(?:(?P<number>-?\d+(?:\.\d+)?)|'(?P<text>(?:[^']|'')*)'|(?P<name>[A-Za-z_][\w-]*)"
    r"|(?P<sign>&&|\|\||==|!=|<=|>=|[<>!().,\[\]*]))"
)
DEEPEST, LONGEST = 30, 1 << 16  # negations; letters of a text


class Unknown:
    """What only the forge can answer."""

    def __init__(self, why: str) -> None:
        self.why = why


class ExpressionError(ValueError):
    """It cannot be read."""


def filled(text: str, contexts: Mapping[str, Any]) -> str | Unknown:
    """The text with its expressions answered, or the first that cannot be."""
    found, length = [], 0
    for plain, expression in _parts(text):
        answer = "" if expression is None else evaluate(expression, contexts)
        if isinstance(answer, Unknown):
            return answer
        found += [plain, as_text(answer)]
        length += len(found[-2]) + len(found[-1])
        if length > LONGEST:
            return Unknown("a text that grows longer than anybody writes")
    return "".join(found)


def holds(condition: Any, contexts: Mapping[str, Any]) -> bool | Unknown:
    """Whether an `if` lets its step run, when nothing failed before."""
    if isinstance(condition, bool):
        return condition
    parts = list(_parts(str(condition).strip()))
    whole = "".join(plain if expression is None else f"{plain}({expression})" for plain, expression in parts)
    answer = evaluate(whole, contexts)
    return answer if isinstance(answer, Unknown) else truth(answer)


def _parts(text: str) -> Iterator[tuple[str, str | None]]:
    """What stands before each expression, and the expression; at last what stands behind all."""
    at = 0
    while (begin := text.find("${{", at)) >= 0 and (end := text.find("}}", begin)) >= 0:
        yield text[at:begin], text[begin + 3 : end]
        at = end + 2
    yield text[at:], None


def evaluate(expression: str, contexts: Mapping[str, Any]) -> Any:
    """The value of an expression; Unknown where it cannot be told."""
    try:
        parser = _Parser(_tokens(expression), contexts)
        value = parser.either()
        return value if parser.at == len(parser.tokens) else Unknown(f"`{expression.strip()}` cannot be read")
    except (ExpressionError, RecursionError):
        return Unknown(f"`{expression.strip()}` cannot be read")


def as_text(value: Any) -> str:
    """How GitHub prints a value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def truth(value: Any) -> bool:
    """Whether GitHub takes a value for true."""
    return value not in (None, False, 0, "")


def _tokens(expression: str) -> list[tuple[str, str]]:
    tokens, at, text = [], 0, expression.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match or not match.lastgroup:
            raise ExpressionError(text)
        tokens.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return tokens


class _Parser:
    """Reads and answers in one go; what is unknown goes as far as it matters."""

    def __init__(self, tokens: Sequence[tuple[str, str]], contexts: Mapping[str, Any]) -> None:
        self.tokens, self.contexts, self.at, self.depth = tokens, contexts, 0, 0

    def either(self) -> Any:
        value = self._both()
        while self._take("||"):
            other = self._both()
            if isinstance(value, Unknown):
                value = other if not isinstance(other, Unknown) and truth(other) and isinstance(other, bool) else value
            elif not truth(value):
                value = other
        return value

    def _both(self) -> Any:
        value = self._comparison()
        while self._take("&&"):
            other = self._comparison()
            if isinstance(value, Unknown):
                value = other if not isinstance(other, Unknown) and not truth(other) else value
            elif truth(value):
                value = other
        return value

    def _comparison(self) -> Any:
        value = self._negation()
        while sign := self._take("==", "!=", "<=", ">=", "<", ">"):
            other = self._negation()
            value = next((side for side in (value, other) if isinstance(side, Unknown)), None) or _compared(
                value, sign, other
            )
        return value

    def _negation(self) -> Any:
        if not self._take("!"):
            return self._postfix()
        self.depth += 1
        if self.depth > DEEPEST:
            raise ExpressionError("!")
        value = self._negation()
        return value if isinstance(value, Unknown) else not truth(value)

    def _postfix(self) -> Any:
        value, path = self._primary()
        while sign := self._take(".", "["):
            key: Any = self._next()[1] if sign == "." else self.either()
            if sign == "[" and not self._take("]"):
                raise ExpressionError("]")
            path = f"{path}.{as_text(key) if not isinstance(key, Unknown) else '?'}"
            value = key if isinstance(key, Unknown) else _member(value, key)
        return Unknown(f"`{path}`") if value is _MISSING else value

    def _primary(self) -> tuple[Any, str]:
        kind, word = self._next()
        if kind == "number":
            return float(word), word
        if kind == "text":
            return word.replace("''", "'"), word
        if word == "(":
            value = self.either()
            if not self._take(")"):
                raise ExpressionError(")")
            return value, ""
        if kind != "name":
            raise ExpressionError(word)
        if self._take("("):
            return self._called(word), word
        constants = {"true": True, "false": False, "null": None}
        return (constants[word] if word in constants else self.contexts.get(word, _MISSING)), word

    def _called(self, name: str) -> Any:
        arguments = []
        while not self._take(")"):
            arguments.append(self.either())
            if not self._take(",") and self._peek() != ")":
                raise ExpressionError(name)
        unknown = next((argument for argument in arguments if isinstance(argument, Unknown)), None)
        function = FUNCTIONS.get(name.lower())
        if unknown or not function:
            return unknown or Unknown(f"`{name}()`")
        try:
            return function(*arguments)
        except (TypeError, ValueError, IndexError, KeyError, RecursionError):
            raise ExpressionError(name) from None

    def _peek(self) -> str | None:
        return self.tokens[self.at][1] if self.at < len(self.tokens) and self.tokens[self.at][0] == "sign" else None

    def _take(self, *signs: str) -> str | None:
        found = self._peek()
        if found not in signs:
            return None
        self.at += 1
        return found

    def _next(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise ExpressionError("it ends too early")
        self.at += 1
        return self.tokens[self.at - 1]


_MISSING: Final = object()


def _member(value: Any, key: Any) -> Any:
    if isinstance(value, Unknown) or value is _MISSING:
        return value
    if isinstance(value, Mapping):
        return value.get(str(key), value.get("*"))
    if isinstance(value, list) and isinstance(key, float) and int(key) < len(value):
        return value[int(key)]
    return None


def _compared(left: Any, sign: str, right: Any) -> bool:
    numbers = _number(left), _number(right)
    if isinstance(left, str) and isinstance(right, str):
        sides: tuple[Any, Any] = (left.lower(), right.lower())
    elif type(left) is type(right) and not isinstance(left, float):
        sides = (left, right)
    elif None in numbers:
        return sign == "!="
    else:
        sides = numbers
    return COMPARED[sign](*sides)


def _number(value: Any) -> float | None:
    try:
        return 0.0 if value in (None, "") else float(value)
    except (TypeError, ValueError):
        return None


def _format(text: str, *values: Any) -> str:
    return re.sub(r"\{(\d+)\}", lambda match: as_text(values[int(match[1])]), text)


def _contains(where: Any, what: Any) -> bool:
    if isinstance(where, list):
        return any(_compared(item, "==", what) for item in where)
    return as_text(what).lower() in as_text(where).lower()


COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": lambda left, right: left == right, "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right, ">": lambda left, right: left > right,
    "<=": lambda left, right: left <= right, ">=": lambda left, right: left >= right,
}  # fmt: skip
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "format": _format,
    "contains": _contains,
    "startswith": lambda text, start: as_text(text).lower().startswith(as_text(start).lower()),
    "endswith": lambda text, end: as_text(text).lower().endswith(as_text(end).lower()),
    "fromjson": lambda text: json.loads(as_text(text)),
    "tojson": json.dumps,
    "join": lambda items, between=",": between.join(map(as_text, items)) if isinstance(items, list) else as_text(items),
    "success": lambda: True,
    "always": lambda: True,
    "failure": lambda: False,
    "cancelled": lambda: False,
}
