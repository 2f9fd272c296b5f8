"""How unknown secrets look: in the shape of a service's tokens, in addresses and headers, behind names that say so."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from selfheal_ci.secret_names import SHORTEST, is_public, kind_of, may_be_secret

if TYPE_CHECKING:
    from betterleaks import Finding

ESCAPES = ("\x1b", "#x1B", "\\x1b", "\\u001b")  # raw, in JUnit, in Python's and in JSON's spelling
ANSI = rf"(?:{'|'.join(map(re.escape, ESCAPES))})\[[0-?]*+[ -/]*+[@-~]"
PLACEHOLDER = r"<secret:[A-Za-z0-9_.-]+:[0-9]+>"

LONGEST_NAME = 80  # characters of a name, LONGEST_VALUE of a value that is looked at; an accepted one is taken whole
LONGEST_VALUE = 512
LONGEST_KEY = 20_000  # characters between the first and the last line of a private key
NEAR = 200  # characters behind an AWS key's id in which its secret is looked for
PIECE, OVERLAP = 16 << 10, 1 << 10  # characters that betterleaks is given at once
SAMPLE = 256  # characters of a value that its randomness is judged by


@dataclass(frozen=True)
class Found:
    """An unknown secret, and where it stands."""

    start: int
    end: int
    kind: str  # letters, digits and _


def find(text: str) -> list[Found]:
    """The unknown secrets of a text, from left to right, none over another. The time is linear in the text's length."""
    if len(text) <= SAMPLE:
        return _found_in_short(text)
    return _find(text)


@lru_cache(maxsize=4096)
def _found_in_short(text: str) -> list[Found]:
    """Lines and test ids are told again and again."""
    return _find(text)


def _find(text: str) -> list[Found]:
    plain = _plain(text)
    lowered = plain.lower()
    rules = (_shaped(plain), _private_keys(plain), _in_addresses(plain), _named(plain, lowered), _by_betterleaks(plain))
    return _apart(found for rule in rules for found in rule)


def _plain(text: str) -> str:
    """A text of the same length in ASCII, with blanks where colours are set and stars where a placeholder stands."""
    plain = text.encode("ascii", "replace").decode("ascii").replace("\0", " ")
    if any(escape in plain for escape in ESCAPES):
        plain = _ANSI.sub(lambda match: " " * len(match[0]), plain)
    return _PLACEHOLDER.sub(lambda match: "*" * len(match[0]), plain) if "<secret:" in plain else plain


_ANSI = re.compile(ANSI)
_PLACEHOLDER = re.compile(PLACEHOLDER)


def _apart(found: Iterable[Found]) -> list[Found]:
    """Those that overlap made one."""
    apart: list[Found] = []
    for one in sorted(found, key=lambda one: (one.start, -one.end)):
        if apart and one.start < apart[-1].end:
            last = apart[-1]
            apart[-1] = Found(last.start, max(last.end, one.end), last.kind)
        else:
            apart.append(one)
    return apart


def _hits(text: str, word: str) -> Iterator[int]:
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + len(word))


# ---------------------------------------------------------------------------------------------------------------------
# Shapes

# Not inside of a word, but behind "\n" in JSON and behind "%3D" in an address.
_BEGIN = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2}))"
_END = r"(?![A-Za-z0-9])"
# kind, what it begins with, how it looks; a group is the secret part
_SHAPES: Sequence[tuple[str, tuple[str, ...], str]] = (
    ("anthropic_key", ("sk-ant-",), r"sk-ant-[\w-]{20,1024}+"),
    ("openai_key", ("sk-proj-", "sk-svcacct-", "sk-admin-"), r"sk-[a-z]++-[\w-]{40,1024}+"),
    ("github_token", tuple(f"gh{kind}_" for kind in "pousr"), r"gh[pousr]_[A-Za-z0-9]{36,1024}+"),
    ("github_pat", ("github_pat_",), r"github_pat_\w{40,1024}+"),
    (
        "gitlab_token",
        ("glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glsoat-", "glagent-"),
        r"gl[a-z]{2,5}+-[\w.-]{20,1024}+",
    ),
    ("google_key", ("AIza",), r"AIza[\w-]{35}"),
    ("google_token", ("ya29.",), r"ya29\.[\w.-]{20,1024}+"),
    ("slack_token", (*(f"xox{kind}" for kind in "abeprs"), "xapp-"), r"x(?:ox[a-z]|app)[.-][A-Za-z0-9.-]{20,1024}+"),
    ("slack_webhook", ("hooks.slack.com/",), r"hooks\.slack\.com/[a-z]{4,12}+/([A-Za-z0-9/_-]{20,1024}+)"),
    ("discord_webhook", ("discord.com/", "discordapp.com/"), r"discord(?:app)?\.com/api/webhooks/\d++/([\w-]{40,1024}+)"),
    ("stripe_key", ("sk_live_", "sk_test_", "rk_live_", "rk_test_"), r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,1024}+"),
    ("twilio_key", ("SK",), rf"SK[0-9a-f]{{32}}{_END}"),
    ("sendgrid_key", ("SG.",), r"SG\.[\w-]{16,1024}+\.[\w-]{20,1024}+"),
    ("npm_token", ("npm_",), r"npm_[A-Za-z0-9]{36,1024}+"),
    ("pypi_token", ("pypi-AgE",), r"pypi-AgE[\w-]{50,1024}+"),
    ("docker_token", ("dckr_pat_", "dckr_oat_"), r"dckr_[a-z]{3}_[\w-]{20,1024}+"),
    ("huggingface_token", ("hf_",), r"hf_[A-Za-z0-9]{30,1024}+"),
    ("vault_token", ("hvs.", "hvb.", "hvr."), r"hv[sbr]\.[\w-]{24,1024}+"),
    ("digitalocean_token", ("dop_v1_", "doo_v1_", "dor_v1_"), r"do[por]_v1_[a-f0-9]{64}"),
    ("databricks_token", ("dapi",), rf"dapi[a-f0-9]{{32}}(?:-\d)?{_END}"),
    ("age_key", ("AGE-SECRET-KEY-",), r"AGE-SECRET-KEY-1[A-Z0-9]{58}"),
    ("jwt", ("eyJ",), r"eyJ[\w-]{8,1024}+\.eyJ[\w-]{8,8192}+\.[\w-]{10,1024}+"),
    ("aws_key_id", ("AKIA", "ASIA", "ABIA", "ACCA"), rf"A(?:KI|SI|BI|CC)A[A-Z0-9]{{16}}{_END}"),
)  # fmt: skip
_COMPILED = tuple((kind, begins, re.compile(_BEGIN + shape)) for kind, begins, shape in _SHAPES)
_AWS_SECRET = re.compile(r"(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")


def _shaped(plain: str) -> Iterator[Found]:
    for kind, begins, shape in _COMPILED:
        for begin in begins:
            done = 0
            for at in _hits(plain, begin):
                if at >= done and (match := shape.match(plain, at)):
                    start, done = match.span(shape.groups)
                    yield Found(start, done, kind)
                    if kind == "aws_key_id":
                        yield from _aws_secret(plain, done)


def _aws_secret(plain: str, at: int) -> Iterator[Found]:
    """The other half of a key that is printed beside its id."""
    for match in _AWS_SECRET.finditer(plain, at, at + NEAR):
        if _is_mixed(match[0]):
            yield Found(match.start(), match.end(), "aws_secret_key")


_KEY_HEAD = re.compile(r"-----BEGIN[A-Z0-9 ]{0,40}+-----")
_KEY_BODY = re.compile(rf"[A-Za-z0-9+/=\s\\]{{16,{LONGEST_KEY}}}+")


def _private_keys(plain: str) -> Iterator[Found]:
    """What stands between the first and the last line of a private key; without a last line, all that may be key."""
    for at in _hits(plain, "-----BEGIN"):
        head = _KEY_HEAD.match(plain, at)
        if not head or "PRIVATE KEY" not in head[0]:
            continue
        end = plain.find("-----END", head.end(), head.end() + LONGEST_KEY)
        body = _KEY_BODY.match(plain, head.end())
        if end < 0 and body:
            end = body.end()
        start, end = _stripped(plain, head.end(), end)
        if end - start >= SHORTEST:
            yield Found(start, end, "private_key")


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


# ---------------------------------------------------------------------------------------------------------------------
# Addresses

_USERINFO = re.compile(r"://([^\s/@:\"'<>?#\\*]{0,100}+):([^\s/@\"'<>\\]{3,500}+)@")
_TOKEN_ALONE = re.compile(r"://([\w.~%+-]{16,300}+)@")


def _in_addresses(plain: str) -> Iterator[Found]:
    for at in _hits(plain, "://"):
        if (match := _USERINFO.match(plain, at)) and match[1] != match[2]:
            start, end = match.span(2)
        elif (match := _TOKEN_ALONE.match(plain, at)) and any(letter.isdigit() for letter in match[1]):
            start, end = match.span(1)
        else:
            continue
        if may_be_secret(plain[start:end]) and not _is_reference(plain[start:end]):
            yield Found(start, end, "password")


# ---------------------------------------------------------------------------------------------------------------------
# Names

_WORDS = (
    "pass",
    "pwd",
    "secret",
    "token",
    "key",
    "credential",
    "auth",
    "cookie",
    "jwt",
    "dsn",
    "bearer",
    "pat",
    "sig",
    "salt",
)
_NAME_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_.-")
_NAME = re.compile(rf"[\w.-]{{1,{LONGEST_NAME}}}+")
_QUOTE = re.compile(r"\\{0,3}[\"'`]")
_BETWEEN = re.compile(rf"(?:{_QUOTE.pattern}|\])?\]?[ \t]{{0,8}}(?:=>|[:=!]?=|::?|is(?=[ \t]))[ \t]{{0,8}}")
_BESIDE = re.compile(rf"(?:{_QUOTE.pattern})?,?[ \t]{{1,8}}")  # --token VALUE, ["--token", "VALUE"]
_SCHEME = re.compile(r"(?:bearer|basic|token|digest|apikey|bot)[ \t]{1,8}", re.IGNORECASE)
_QUOTED = re.compile(rf"[^\"'`\s]{{{SHORTEST},{LONGEST_VALUE}}}+")
_BARE = re.compile(rf"[^\s\"'`,;<>(){{}}\[\]|\\&]{{{SHORTEST},{LONGEST_VALUE}}}+")
_REST = re.compile(r"[^\s\"'`]*+")

# Values of the other kinds must be longer, and look random.
_LEAST = {"password": SHORTEST, "secret": 8, "token": 10}  # characters
_LEAST_RANDOM = 16


def _named(plain: str, lowered: str) -> Iterator[Found]:
    """What is assigned to a name that says that it is secret, follows such an option, or such a header."""
    done = 0
    for at in sorted({at for word in _WORDS for at in _hits(lowered, word)}):
        if at >= done and (name := _NAME.match(plain, _begin_of_name(lowered, at))):
            done = name.end()
            if (kind := kind_of(name[0])) and (found := _value_of(plain, name, kind)):
                yield found
                done = found.end


def _begin_of_name(lowered: str, at: int) -> int:
    least = max(0, at - LONGEST_NAME // 2)
    while at > least and lowered[at - 1] in _NAME_LETTERS:
        at -= 1
    return at


def _value_of(plain: str, name: re.Match[str], kind: str) -> Found | None:
    between = _BETWEEN.match(plain, name.end())
    if not between and (name[0].startswith("-") or name[0].lower() == "bearer"):
        between = _BESIDE.match(plain, name.end())
    if not between:
        return None
    quote = _QUOTE.match(plain, between.end())
    at = quote.end() if quote else between.end()
    scheme = _SCHEME.match(plain, at)
    value = (_QUOTED if quote else _BARE).match(plain, scheme.end() if scheme else at)
    if not value or (not quote and plain[value.end() : value.end() + 1] in {"(", "["}):  # a call
        return None
    secret = value[0].rstrip("\\" if quote else ".:")
    if not _is_secret(secret, kind, sure=bool(scheme)):
        return None
    end = value.start() + len(secret)
    if len(value[0]) == LONGEST_VALUE and (rest := _REST.match(plain, end)):
        end = rest.end()
    return Found(value.start(), end, kind)


def _is_secret(value: str, kind: str, *, sure: bool) -> bool:
    value = value[:SAMPLE]
    if _is_reference(value) or not may_be_secret(value) or _is_plain_number(value):
        return False
    if sure:
        return True
    letters, digits = any(map(str.isalpha, value)), any(map(str.isdigit, value))
    if kind == "password":
        return letters and (digits or any(sign in value for sign in "!@#$%^&*+?~"))
    if len(value) < _LEAST.get(kind, _LEAST_RANDOM) or not (letters and digits):
        return False
    return kind in _LEAST or entropy(value) >= 3  # noqa: PLR2004  bits a character


_REFERENCE = re.compile(
    r"[$%{<(~]|https?://[^@]*+$|\.{0,2}/(?:[\w.@-]+/)*[\w.@-]*$|(?:os|self|cls|env|process|secrets|settings|config)\."
)
_NUMBER = re.compile(r"0x[0-9a-fA-F]{1,16}|[0-9][0-9.:,_TZ/+-]*+(?:ms|s|MB|kB|KB|GB|px|e[0-9]+)?")


def _is_reference(value: str) -> bool:
    """Whether it says where a secret is, not what it is; or is masked by somebody else already."""
    if "***" in value or "xxxx" in value.lower() or "..." in value or re.search(r"%[sdr]|\{[\w.!:]*\}|%\(\w+\)", value):
        return True
    if is_public(value):
        return True
    return bool(_REFERENCE.match(value)) and not _is_mixed(value)


def _is_plain_number(value: str) -> bool:
    return bool(_NUMBER.fullmatch(value))


def _is_mixed(value: str) -> bool:
    """Whether it looks like a long random text in base64."""
    kinds = (str.isupper, str.islower, str.isdigit)
    return len(value) >= 2 * _LEAST_RANDOM and all(sum(map(kind, value)) > 1 for kind in kinds) and "." not in value


def entropy(value: str) -> float:
    """Shannon's, in bits a character."""
    return -sum(count / len(value) * math.log2(count / len(value)) for count in Counter(value).values())


# ---------------------------------------------------------------------------------------------------------------------
# betterleaks

Scan = Callable[[str], "Sequence[Finding]"]


@lru_cache(maxsize=1)
def _scanner() -> Scan:
    """betterleaks' rules; where it has no wheel or does not load, our own stand alone."""
    try:
        import betterleaks  # noqa: PLC0415  30 MB, for who has a text to redact

        betterleaks.scan_string("")
    except (ImportError, OSError):
        return lambda _: ()
    return betterleaks.scan_string


def _by_betterleaks(plain: str) -> Iterator[Found]:
    # A line that says "gitleaks:allow" would be left out: it is whoever prints it who says so.
    heeded = plain.replace("leaks:allow", "leaks_allow")
    for begin, end in _pieces(plain):
        piece = heeded[begin:end]
        if findings := _scanner()(piece):
            lines = [0, *(at + 1 for at in _hits(piece, "\n"))]
            places = (_place_of(finding, piece, lines) for finding in findings)
            yield from (Found(begin + one.start, begin + one.end, one.kind) for one in places if one)


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Where to cut a text: betterleaks takes more time for each line of a large one. Each begins within the one before."""
    begin = 0
    while begin + PIECE < len(text):
        end = begin + PIECE
        end = text.rfind("\n", end - OVERLAP, end) + 1 or end
        yield begin, end
        begin = end - OVERLAP
    yield begin, len(text)


def _place_of(finding: Finding, text: str, lines: Sequence[int]) -> Found | None:
    """The secret, within the place of all that the rule matched."""
    place, value = finding.location, finding.match.value
    first, last = lines[place.start_line - 1] + place.start_column - 1, lines[place.end_line - 1] + place.end_column
    at = text.rfind(value, first, last)  # the last one: the name in front of it may be the same
    if at < 0 or not may_be_secret(value) or _is_reference(value):
        return None
    return Found(at, at + len(value), finding.rule_id.replace("-", "_"))
