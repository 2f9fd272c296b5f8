"""Signs in the lines of any text, whatever the language: what silences a checker, skips tests, or cannot be seen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from selfheal_ci.gate.suspicion.signs import Sign

SILENCES = re.compile(
    r"#\s*(?:noqa|type:\s*ignore|pylint:\s*(?:disable|skip)|pragma:\s*no\s*(?:cover|branch)|nosec|nopep8|pyright:|mypy:|"
    r"ruff:|flake8:|fmt:\s*(?:off|skip)|isort:\s*skip|yapf:\s*disable|pyre-(?:ignore|fixme)|bandit:|coverage:)|"
    r"eslint-disable|jshint\s+ignore|@ts-(?:ignore|expect-error|nocheck)|(?:istanbul|c8|v8)\s+ignore|prettier-ignore|"
    r"biome-ignore|//\s*nolint|\bNOLINT|#!?\[allow\(|@SuppressWarnings|@SuppressLint|rubocop:\s*disable|phpcs:ignore|"
    r"phpstan-ignore|@phpstan-ignore|#pragma\s+(?:warning|GCC\s+diagnostic|clang\s+diagnostic)|\$FlowFixMe",
    re.IGNORECASE,
)
SKIPS = re.compile(
    r"\b(?:it|test|describe|context|suite)\.(?:skip|only|todo|fails?)\b|\b(?:xit|xtest|xdescribe|fit|fdescribe)\s*\(|"
    r"\bt\.Skip(?:Now|f)?\(|#\[ignore|@Disabled\b|@Ignore\b|testing\.Short\(\)"
)
_OTHERS = {  # what Python's own tree says better; for all other languages
    Sign.LEAVES: re.compile(r"\bprocess\.(?:exit|abort|kill)\b|\bos\.Exit\(|\bprocess::(?:exit|abort)|\bSystem\.exit\(|"
                            r"\bRuntime\.getRuntime\(\)\.halt|(?<![\w.])(?:_Exit|quick_exit)\("),
    Sign.ASKS: re.compile(r"JEST_WORKER_ID|VITEST|NODE_ENV\W{1,4}test\b|\bcfg!\(test\)|testing\.Testing\(\)|"
                          r"['\"](?:jest|vitest|mocha|CI)['\"]|import\.meta\.vitest|flag\.Lookup\(\"test\."),
    Sign.BUILDS: re.compile(r"(?<![\w.])eval\s*\(|\bnew Function\s*\(|\bvm\.run|\bprocess\.binding\b"),
    Sign.REACHES_OUT: re.compile(r"\bchild_process\b|\bos/exec\b|\bprocess::Command\b|ProcessBuilder|Runtime\.getRuntime|"
                                 r"\bstd::net::|\bjava\.net\.|require\(['\"](?:net|http|https|dgram|tls)['\"]\)"),
    Sign.PATCHES: re.compile(r"\b(?:Object|Array|String|Number|Promise|Error|JSON|Math|console|globalThis|global)"
                             r"(?:\.prototype)?\.\w+\s*=(?!=)|__proto__"),
    Sign.SWALLOWS: re.compile(r"\bcatch\s*(?:\([^)]{0,80}\))?\s*\{\s*\}"),
}  # fmt: skip
# Bidirectional marks and what has no width; not the joiners of scripts that need them, beside letters of those.
_HIDDEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u2028\u2029\x0b\x1c-\x1e\x85"
    "\U000e0000-\U000e0fff]"
)
_KEY = re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----")
_ENCODING = re.compile(r"\A(?:[^\n]*\n)?[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_PLAIN = frozenset({"utf-8", "utf8", "latin-1", "latin1", "iso-8859-1", "iso-8859-15", "ascii", "us-ascii", "cp1252"})
LONG = 1000


def signs(path: str, text: str) -> Counter[tuple[Sign, str]]:
    """How often each thing is there that shows a sign."""
    return Counter(_found(path, text.removeprefix("\ufeff")))


def _found(path: str, text: str) -> Iterator[tuple[Sign, str]]:
    yield from ((Sign.SILENCES, _shown(match[0])) for match in SILENCES.finditer(text))
    yield from ((Sign.SKIPS, _shown(match[0])) for match in SKIPS.finditer(text))
    yield from ((Sign.HIDES, f"U+{ord(match[0]):04X}") for match in _HIDDEN.finditer(text))
    yield from ((Sign.PACKED, f"{_shown(line)[:40]}…") for line in text.split("\n") if len(line) > LONG)
    encoding = _ENCODING.match(text)
    if encoding and encoding[1].lower().replace("_", "-") not in _PLAIN:
        yield Sign.HIDES, f"coding: {encoding[1]}"
    yield from ((Sign.PACKED, _shown(match[0])) for match in _KEY.finditer(text))
    if not path.endswith((".py", ".pyi")):
        for sign, pattern in _OTHERS.items():
            yield from ((sign, _shown(match[0])) for match in pattern.finditer(text))


def _shown(text: str) -> str:
    return " ".join(text.split())
