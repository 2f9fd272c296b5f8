"""Secrets that were never anybody's, and the lines of a CI's log that they stand in; the same ones in every run."""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

SEED = 20_260
LETTERS = string.ascii_letters + string.digits
LOWER = string.ascii_lowercase + string.digits
HEX = "0123456789abcdef"
WORDS = ("otter", "Maple", "violin", "Harbor", "cactus", "Pepper", "rocket", "Window", "saddle", "Quartz")


@dataclass(frozen=True)
class Planted:
    """A made-up secret as a log has it. parts: what must not be left of it."""

    family: str
    variable: str  # the usual name of what holds it
    text: str
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Dice:
    """Makes values out of chance that repeats itself."""

    chance: random.Random

    def any(self, count: int, letters: str = LETTERS) -> str:
        return "".join(self.chance.choices(letters, k=count))

    def digits(self, count: int) -> str:
        return self.any(count, string.digits)

    def base64(self, count: int) -> str:
        return base64.b64encode(self.chance.randbytes(count)).decode()

    def uuid(self) -> str:
        return "-".join(self.any(size, HEX) for size in (8, 4, 4, 4, 12))

    def password(self) -> str:
        return f"{self.chance.choice(WORDS)}-{self.chance.choice(WORDS)}{self.chance.randrange(10, 100)}!"

    def jwt(self) -> str:
        parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": self.digits(8), "name": self.any(6)})
        made = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
        return ".".join([*made, self.any(43)])


# What each begins with is put together from halves: no scanner shall take this file for a leak.
WHOLE: Mapping[str, tuple[str, Callable[[Dice], str]]] = {
    "anthropic": ("ANTHROPIC_API_KEY", lambda dice: "sk-" + "ant-api03-" + dice.any(93, LETTERS + "-_") + "AA"),
    "openai": ("OPENAI_API_KEY", lambda dice: "sk-" + "proj-" + dice.any(74) + "T3Blbk" + "FJ" + dice.any(74)),
    "github": ("GITHUB_TOKEN", lambda dice: "gh" + "p_" + dice.any(36)),
    "github_fine": ("GH_TOKEN", lambda dice: "github" + "_pat_" + dice.any(22) + "_" + dice.any(59)),
    "gitlab": ("GITLAB_TOKEN", lambda dice: "gl" + "pat-" + dice.any(20)),
    "aws_id": ("AWS_ACCESS_KEY_ID", lambda dice: "AK" + "IA" + dice.any(16, string.ascii_uppercase + "234567")),
    "aws_secret": ("AWS_SECRET_ACCESS_KEY", lambda dice: dice.base64(30)),
    "google": ("GOOGLE_API_KEY", lambda dice: "AI" + "za" + dice.any(35, LETTERS + "-_")),
    "slack": ("SLACK_BOT_TOKEN", lambda dice: "xo" + f"xb-{dice.digits(12)}-{dice.digits(12)}-{dice.any(24)}"),
    "stripe": ("STRIPE_SECRET_KEY", lambda dice: "sk" + "_live_" + dice.any(24)),
    "twilio": ("TWILIO_API_KEY", lambda dice: "S" + "K" + dice.any(32, HEX)),
    "sendgrid": ("SENDGRID_API_KEY", lambda dice: "S" + f"G.{dice.any(22)}.{dice.any(43)}"),
    "npm": ("NPM_TOKEN", lambda dice: "np" + "m_" + dice.any(36)),
    "pypi": ("PYPI_TOKEN", lambda dice: "py" + "pi-AgEIcHlwaS5vcmc" + dice.any(140, LETTERS + "-_")),
    "docker": ("DOCKER_TOKEN", lambda dice: "dckr" + "_pat_" + dice.any(27)),
    "huggingface": ("HF_TOKEN", lambda dice: "h" + "f_" + dice.any(34, string.ascii_letters)),
    "vault": ("VAULT_TOKEN", lambda dice: "hv" + "s." + dice.any(95)),
    "jwt": ("ID_TOKEN", lambda dice: dice.jwt()),
    "password": ("DB_PASSWORD", lambda dice: dice.password()),
    "uuid": ("HEROKU_API_KEY", lambda dice: dice.uuid()),
    "hex": ("DATADOG_API_KEY", lambda dice: dice.any(32, HEX)),
}  # fmt: skip


def planted(seed: int = SEED) -> list[Planted]:
    """One of each of 25 families."""
    dice = Dice(random.Random(seed))  # noqa: S311  nobody's secrets
    whole = [Planted(family, variable, text := make(dice), (text,)) for family, (variable, make) in WHOLE.items()]
    return [*whole, *_inside_of_something(dice)]


def _inside_of_something(dice: Dice) -> Iterator[Planted]:
    key = dice.base64(64)
    account = f"DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={key};EndpointSuffix=core.windows.net"
    yield Planted("azure", "AZURE_STORAGE_CONNECTION_STRING", account, (key,))
    path = f"T{dice.any(8, LOWER.upper())}/B{dice.any(8, LOWER.upper())}/{dice.any(24)}"
    yield Planted("slack_hook", "SLACK_WEBHOOK_URL", "https://hooks.slack" + ".com/services/" + path, (path[-24:],))
    password = dice.any(18)
    yield Planted("dsn", "DATABASE_URL", f"postgresql://shop:{password}@db.example.com:5432/shop", (password,))
    lines = [dice.base64(48) for _ in range(6)]
    text = "\n".join(["-----BEGIN " + "PRIVATE KEY-----", *lines, "-----END " + "PRIVATE KEY-----"])
    yield Planted("pem", "DEPLOY_KEY", text, tuple(lines))


Template = Callable[[Planted], str]

# What the rules may be tuned to.
SEEN: Mapping[str, Template] = {
    "query": lambda one: f"E   HTTPError: 401 for url: https://api.example.com/v1?token={quote(one.text, safe='')}",
    "environ": lambda one: f"environ({{'PATH': '/usr/bin:/bin', {one.variable!r}: {one.text!r}, 'LANG': 'C.UTF-8'}})",
    "export": lambda one: f"+ export {one.variable}={one.text}",
    "bearer": lambda one: f"> Authorization: Bearer {one.text}",
    "json": lambda one: json.dumps({"level": "error", "message": "refused", one.variable.lower(): one.text}),
    "assertion": lambda one: f"E   AssertionError: assert {one.text!r} == 'expected'",
}  # fmt: skip


def held_out() -> Mapping[str, Template]:
    """The other half: written before there was any rule, looked at only as one figure, never tuned to."""
    return {
        "debug": lambda one: f"10:22:31,120 DEBUG client: connecting with {one.variable.lower()}={one.text}, timeout=30",
        "header": lambda one: f"curl -sS -H 'X-Api-Key: {one.text}' https://api.example.com/v1/items",
        "source": lambda one: f'  File "settings.py", line 12, in <module>\n    {one.variable} = "{one.text}"',
        "yaml": lambda one: f"##[debug]  {one.variable.lower()}: {one.text}",
        "flag": lambda one: f"Step 4/9 : RUN deploy --region eu-central-1 --token {one.text} --wait",
        "error": lambda one: f"ValueError: invalid credentials: {one.text} (tried 3 times)",
    }  # fmt: skip


FORMS: Mapping[str, Callable[[str], str]] = {
    "raw": lambda value: value,
    "percent": lambda value: quote(value, safe=""),
    "json": lambda value: json.dumps(value)[1:-1],
    "repr": lambda value: repr(value)[1:-1],
    "hex": lambda value: value.encode().hex(),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64, safe in addresses": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "base64, one byte later": lambda value: base64.b64encode(b"x" + value.encode()).decode(),
    "base64 of user:secret": lambda value: base64.b64encode(f"deploy:{value}".encode()).decode(),
    "reversed": lambda value: value[::-1],
    "split": lambda value: "\x1b[0m\n  ".join(value[at : at + 5] for at in range(0, len(value), 5)),
}  # fmt: skip
