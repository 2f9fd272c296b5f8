"""How known secrets look: the ways they are spelled in logs, what stands in for them, and which variables hold them."""

from __future__ import annotations

import base64
import html
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import Enum
from functools import cached_property, lru_cache
from typing import TypeVar, cast
from urllib.parse import quote, quote_plus, unquote, urlsplit

T = TypeVar("T")

SHORTEST = 6  # shorter values are found everywhere by chance
SHORTEST_SPLIT = 8  # shorter ones are not searched with gaps in them: "12 34 56" is no PIN

ESCAPES = ("\x1b", "#x1B", "\\x1b", "\\u001b")  # raw, in JUnit, in Python's and in JSON's spelling
ANSI = rf"(?:{'|'.join(map(re.escape, ESCAPES))})\[[0-?]*+[ -/]*+[@-~]"
GAP = rf"(?:\s|{ANSI})*+"
PLACEHOLDER = r"<secret:[A-Za-z0-9_.-]+:[0-9]+>"
_ANSI = re.compile(ANSI)
_PLACEHOLDER = re.compile(PLACEHOLDER)


@dataclass(frozen=True)
class Redactor:
    """Puts `<secret:NAME:1>` in the place of known values, however they are spelled. Knows nothing of unknown secrets.

    A spelling has the same number in every run: a model can reason about it, and `restore` undoes it.
    """

    known: Mapping[str, str] = field(default_factory=dict)  # name → value

    def text(self, text: str) -> str:
        """The text without known secrets."""
        found = self._found(text)
        return _pattern(found).sub(self._replacement, text) if found else text

    def data(self, data: bytes) -> bytes:
        """The bytes without known secrets, whatever their encoding."""
        return self.text(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def value(self, value: T, *, keep: tuple[type, ...] = ()) -> T:
        """The value with every text in it redacted, down through dataclasses, tuples, sets and mappings; no bytes."""
        return cast(T, self._value(value, keep))

    def restore(self, text: str, there: str) -> str:
        """The text with our placeholders turned back into what they stand for, where `there` holds that already.

        Any other stays what it is, mere text: whoever writes it could not have read it there.
        """
        if not _PLACEHOLDER.search(text):
            return text
        squeezed = _squeeze(there)
        return _PLACEHOLDER.sub(lambda match: self._original(match[0], squeezed), text)

    def introduces(self, before: bytes, after: bytes) -> bool:
        """Whether `after` holds a known secret that `before` does not hold, or holds it more often."""
        return bool(self._counted(after) - self._counted(before))

    def _value(self, value: object, keep: tuple[type, ...]) -> object:
        if isinstance(value, (Enum, bytes, *keep)):
            return value
        match value:
            case str():
                return self.text(value)
            case tuple() | list() | frozenset():
                return type(value)(self._value(part, keep) for part in value)
            case Mapping():
                return {self._value(key, keep): self._value(part, keep) for key, part in value.items()}
            case _ if is_dataclass(value) and not isinstance(value, type):
                parts = {part.name: self._value(getattr(value, part.name), keep) for part in fields(value)}
                return replace(value, **parts)
            case _:
                return value

    def _found(self, text: str) -> tuple[str, ...]:
        """The spellings that are in the text: a fast look at the text without gaps, most often the only one."""
        if not self._spellings:
            return ()
        squeezed = _squeeze(text)
        return tuple(spelling for needle, spelling in self._needles.items() if needle in squeezed)

    def _replacement(self, match: re.Match[str]) -> str:
        if _PLACEHOLDER.fullmatch(match[0]):  # ours, from an earlier pass
            return match[0]
        return self._spellings.get(match[0]) or self._spellings[self._needles[_squeeze(match[0])]]

    def _counted(self, data: bytes) -> Counter[str]:
        text = data.decode("utf-8", "surrogateescape")
        found = self._found(text)
        hits = (match for match in _pattern(found).finditer(text)) if found else iter(())
        return Counter(self._replacement(match) for match in hits if not _PLACEHOLDER.fullmatch(match[0]))

    def _original(self, placeholder: str, squeezed: str) -> str:
        spelling = self._originals.get(placeholder)
        return spelling if spelling and _squeeze(spelling) in squeezed else placeholder

    @cached_property
    def _spellings(self) -> Mapping[str, str]:
        """Spelling → placeholder, the longest first."""
        spellings: dict[str, str] = {}
        numbers: Counter[str] = Counter()
        for name, value in sorted(self.known.items()):
            label = re.sub(r"[^A-Za-z0-9_.-]", "_", name) or "unnamed"
            for spelling in _spelled(value):
                if spelling not in spellings:
                    numbers[label] += 1
                    spellings[spelling] = f"<secret:{label}:{numbers[label]}>"
        return dict(sorted(spellings.items(), key=lambda item: -len(item[0])))

    @cached_property
    def _needles(self) -> Mapping[str, str]:
        """Spelling without gaps → spelling, the longest first."""
        needles: dict[str, str] = {}
        for spelling in self._spellings:
            needles.setdefault(_squeeze(spelling), spelling)
        return needles

    @cached_property
    def _originals(self) -> Mapping[str, str]:
        return {placeholder: spelling for spelling, placeholder in self._spellings.items()}


def known_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """The values of variables whose names say that they are secret, and the passwords in addresses."""
    found: dict[str, str] = {}
    for name, value in environ.items():
        if _names_a_secret(name) and _may_be_secret(value):
            found[name] = value
            if (inner := _INNER.fullmatch(value.strip())) and _may_be_secret(inner[1]):
                found[f"{name}.part"] = inner[1]
        for number, password in enumerate(_passwords(value)):
            found[f"{name}.password" if number == 0 else f"{name}.password.{number + 1}"] = password
    return found


WELL_KNOWN = frozenset(
    {
        "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "SELFHEAL_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN", "GH_TOKEN",
        "ACTIONS_RUNTIME_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "CI_JOB_TOKEN", "CI_JOB_JWT", "CI_JOB_JWT_V2",
        "CI_REGISTRY_PASSWORD", "CI_DEPLOY_PASSWORD", "CI_DEPENDENCY_PROXY_PASSWORD", "DOCKER_AUTH_CONFIG",
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_CLIENT_SECRET", "PGPASSWORD",
        "MYSQL_PWD", "REDISCLI_AUTH", "NODE_AUTH_TOKEN", "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS", "DAGGER_CLOUD_TOKEN",
    }
)  # fmt: skip
_SECRET_WORD = re.compile(
    r"(?:.*(?:TOKENS?|SECRETS?|PASSWORDS?|PASSWD|PASSPHRASE|CREDENTIALS?|APIKEYS?|PRIVATEKEY|ACCESSKEY|SECRETKEY|DSN)"
    r"|KEYS?|(?:SSH|DB|SQL|MYSQL|PG|SMTP|USER|ROOT|ADMIN)?PASS|PAT|JWT|PWD|WEBHOOK|BEARER|UNSEAL)"
)
_SECRET_AT_THE_END = re.compile(
    r"(?:.*_)?(?:COOKIES?|AUTH|AUTHORIZATION|AUTH(?:ORIZATION)?_HEADERS?|LOGIN|SK|SALT|KUBE_?CONFIG_(?:DATA|BASE64|B64|CONTENTS?))"
)
_NOT_SECRET = frozenset({"PWD", "OLDPWD", "GITLAB_USER_LOGIN"})
_ABOUT_A_SECRET = frozenset({"FILE", "PATH", "DIR", "SOCK", "NAME", "TYPE", "USER", "USERNAME", "TTL", "EXPIRY", "LENGTH"})
# What everybody's examples use: not secret, and found all over a log.
_PUBLIC = frozenset(
    {
        "password", "passwd", "secret", "changeme", "change-me", "example", "postgres", "mysql", "mariadb", "rabbitmq",
        "minioadmin", "localhost", "default", "enabled", "disabled", "testing", "required", "optional", "inherit",
        "bearer", "digest", "kerberos", "negotiate", "anonymous", "always", "prompt", "manual", "keyring",
    }
)  # fmt: skip
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+://[^\s\"'<>]++")
# "Authorization: Bearer s3cr3t", "deploy:s3cr3t": what is secret of it stands alone elsewhere.
_INNER = re.compile(r"(?:(?:[\w-]{1,40}: *)?(?:Bearer|Basic|Token) +|[\w.@-]{1,80}:(?!/))(\S+)", re.IGNORECASE)
_BARE_TOKEN = 16  # characters from which the only thing before an "@" is a token, not a user


def _names_a_secret(name: str) -> bool:
    upper = name.upper()
    if upper in WELL_KNOWN:
        return True
    words = [word for word in re.split(r"[^A-Z0-9]+", upper) if word]
    if not words or words[-1] in _ABOUT_A_SECRET or upper in _NOT_SECRET:
        return False
    return bool(_SECRET_AT_THE_END.fullmatch("_".join(words))) or any(_SECRET_WORD.fullmatch(word) for word in words)


def _may_be_secret(value: str) -> bool:
    is_number = value.isdecimal() and len(value) < SHORTEST_SPLIT  # MAX_TOKENS=200000
    return len(value) >= SHORTEST and not is_number and value.casefold() not in _PUBLIC


def _passwords(value: str) -> Iterator[str]:
    """The passwords and tokens of the addresses in a value, as they are and decoded."""
    for address in _ADDRESS.findall(value):
        try:
            userinfo, at, _ = urlsplit(address).netloc.rpartition("@")
        except ValueError:  # "http://[": no address after all
            continue
        user, colon, password = userinfo.partition(":")
        if at and not password and len(user) >= _BARE_TOKEN:
            password = user
        elif not colon or password == user:
            continue
        yield from (found for found in dict.fromkeys((password, unquote(password))) if _may_be_secret(found))


def _spelled(value: str) -> Iterator[str]:
    """The ways in which a value is spelled in logs, in a fixed order."""
    for raw in dict.fromkeys((value, value.strip())):
        if len(_squeeze(raw)) >= SHORTEST:
            yield raw
            yield from (form for form in _encoded(raw) if len(_squeeze(form)) >= SHORTEST)
    if "\n" in value:  # a key in PEM: each of its lines is as good as secret
        lines = (line.strip() for line in value.splitlines())
        yield from (line for line in lines if len(line) >= 2 * SHORTEST_SPLIT and not line.startswith("-----"))


def _encoded(value: str) -> Iterator[str]:
    data = value.encode("utf-8", "surrogateescape")
    for percent in (quote(data, safe=""), quote(data), quote_plus(data)):
        yield percent
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), percent)
    for inner in (json.dumps(value), json.dumps(value, ensure_ascii=False), json.dumps(value).replace("/", "\\/")):
        yield inner[1:-1]
    yield repr(value)[1:-1]
    yield repr(value)[1:-1].replace("'", "\\'")
    yield repr(data)[2:-1]
    yield html.escape(value, quote=False)
    yield html.escape(value)
    yield data.hex()
    yield data.hex().upper()
    yield from _base64(data)
    yield value[::-1]


def _base64(data: bytes) -> Iterator[str]:
    """What stays the same of it wherever it stands in longer encoded bytes, such as `user:secret`."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for offset in range(3):
            encoded = encode(bytes(offset) + data).decode()
            yield encoded[-(-8 * offset // 6) : 8 * (offset + len(data)) // 6]


def _squeeze(text: str) -> str:
    """The text without white space and ANSI codes."""
    if any(escape in text for escape in ESCAPES):
        text = _ANSI.sub("", text)
    return "".join(text.split())


@lru_cache(maxsize=64)
def _pattern(spellings: tuple[str, ...]) -> re.Pattern[str]:
    """Finds the spellings and our placeholders in one pass."""
    return re.compile("|".join((PLACEHOLDER, *map(_gapped, spellings))))


def _gapped(spelling: str) -> str:
    if len(spelling) < SHORTEST_SPLIT:
        return re.escape(spelling)
    return GAP.join(re.escape(letter) for letter in spelling if not letter.isspace())
