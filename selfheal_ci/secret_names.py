"""Which names say that a value is secret, which values may be one, and where in an address a password stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import unquote, urlsplit

SHORTEST = 6  # characters; shorter values are found everywhere by chance
SHORTEST_NUMBER = 8  # digits

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
_USERINFO = re.compile(r"[^:/?#]+://[^:@/]*:(.+)@", re.DOTALL)  # up to the last "@": it may have forgotten to escape one
_PASSWORD_ASKED = re.compile(r"[?&](?:ssl)?password=([^&]+)", re.IGNORECASE)
_BARE_TOKEN = 16  # characters from which the only thing before an "@" is a token, not a user


def names_a_secret(name: str) -> bool:
    """Whether the name of a variable or a key says that its value is secret."""
    upper = name.upper()
    if upper in WELL_KNOWN:
        return True
    words = [word for word in re.split(r"[^A-Z0-9]+", upper) if word]
    if not words or words[-1] in _ABOUT_A_SECRET or upper in _NOT_SECRET:
        return False
    return bool(_SECRET_AT_THE_END.fullmatch("_".join(words))) or any(_SECRET_WORD.fullmatch(word) for word in words)


def may_be_secret(value: str) -> bool:
    """Whether the value is long enough, and not one that everybody knows."""
    is_number = value.isdecimal() and len(value) < SHORTEST_NUMBER  # MAX_TOKENS=200000
    return len(value) >= SHORTEST and not is_number and not is_public(value)


def is_public(value: str) -> bool:
    """Whether everybody's examples and settings use it."""
    return value.casefold() in _PUBLIC


def passwords(value: str) -> Iterator[str]:
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
        yield from (found for found in dict.fromkeys((password, unquote(password))) if may_be_secret(found))


def password_of(address: str) -> str | None:
    """The password in an address whose owner says that it is one, whatever is in it; None where there is none."""
    found = _USERINFO.match(address) or _PASSWORD_ASKED.search(address)
    return found[1] if found else None


# What a name in capitals ends with, and what kind of secret that is.
_KINDS = (
    ("password", re.compile(r"(?:PASSWORD|PASSWD|PASSPHRASE|PWD|[A-Z0-9]_?PASS)$")),
    ("secret", re.compile(r"(?:SECRETS?|SECRET_?KEY|CREDENTIALS?|DSN)$")),
    ("token", re.compile(r"(?:TOKENS?|JWT|BEARER|(?:^|_)PAT)$")),
    ("key", re.compile(r"(?:API_?KEY|ACCESS_?KEY(?:_?ID)?|PRIVATE_?KEY|[A-Z0-9]_KEY)$")),
    ("authorization", re.compile(r"(?:(?:^|_)AUTH|AUTHORIZATION)$")),
    ("signature", re.compile(r"(?:(?:^|_)SIG|SIGNATURE|COOKIE|(?:^|_)SALT)$")),
)
_NO_SECRET_KEY = re.compile(r"(?:CACHE|PRIMARY|FOREIGN|PUBLIC|SORT|PARTITION|OBJECT|GROUP|LOOKUP|REGISTRY|HOST)_KEY$")


@lru_cache(maxsize=1024)
def kind_of(name: str) -> str | None:
    """What kind of secret the name of a key, an option or a header ends with; stricter than `names_a_secret`."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip("-."))
    capitals = re.sub(r"[^A-Z0-9]+", "_", split.upper())
    if _NO_SECRET_KEY.search(capitals):
        return None
    return next((kind for kind, ending in _KINDS if ending.search(capitals)), None)
