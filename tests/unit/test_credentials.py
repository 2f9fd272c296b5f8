from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from selfheal_ci.credentials import MOST_BYTES, MOST_VALUES, known_secrets

SECRET = "q7Zk-3Rb9xVt2"
BASIC = base64.b64encode(f"ada:{SECRET}".encode()).decode()
PEM = "-----BEGIN " + "PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END " + "PRIVATE KEY-----"


@pytest.mark.parametrize(
    "name",
    [
        "ANTHROPIC_API_KEY", "SELFHEAL_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN", "GH_TOKEN", "CI_JOB_TOKEN", "PGPASSWORD",
        "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "DB_PASSWORD", "db_password", "MY_SECRET", "SENTRY_DSN", "DEPLOY_KEY",
        "SSH_PRIVATE_KEY", "npm_config__authToken", "GOOGLE_CREDENTIALS", "DOCKER_AUTH_CONFIG", "SIGNING_PASSPHRASE",
        "GITHUB_PAT", "SSHPASS", "COOKIE", "SESSION_COOKIE", "AUTH_HEADER", "AUTHORIZATION", "SENTRY_AUTH", "npm_config__auth",
        "SONAR_LOGIN", "STRIPE_SK", "KUBECONFIG_DATA", "KUBE_CONFIG_DATA", "VAULT_UNSEAL", "VAULT_UNSEAL_1", "MYSQL_PASS",
        "DBPASS", "ENCRYPTION_SALT",
    ],
)  # fmt: skip
def test_knows_secrets_by_the_names_of_their_variables(name: str) -> None:
    assert known_secrets({name: "s3cr3t-value"}) == {name: "s3cr3t-value"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PATH", "/usr/local/bin:/usr/bin"), ("PWD", "/work/shop"), ("OLDPWD", "/work/shop"), ("HOME", "/home/ada"),
        ("SSH_AUTH_SOCK", "/tmp/agent.123"), ("GIT_ASKPASS", "/usr/bin/askpass"), ("KEYBOARD", "german-layout"),
        ("MONKEY", "business-as-usual"), ("MAX_TOKENS", "200000"), ("TOKEN_FILE", "/run/secrets/token"),
        ("DB_PASSWORD", "password"), ("DB_PASSWORD", "postgres"), ("DEPLOY_KEY", "short"), ("TOKEN", ""),
        ("PROXY", "http://proxy.example.com:3128"), ("URL", "https://ada@example.com/"), ("URL", "http://[broken"),
        ("DATABASE_URL", "postgres://shop:shop@localhost/shop"), ("KUBECONFIG", "/home/ada/.kube/config"),
        ("BYPASS", "everything"), ("COMPASS", "north-by-northwest"), ("COOKIE_DOMAIN", "shop.example.com"),
        ("SESSION_COOKIE_NAME", "shop-session"), ("AUTH_HEADER_NAME", "X-Shop-Auth"), ("AUTH_URL", "https://id.example.com"),
        ("PROXY_AUTH", "negotiate"), ("GITLAB_USER_LOGIN", "ada-lovelace"), ("LOGIN_URL", "/accounts/login"),
        ("DISK", "/dev/sda1-x"), ("SALT_MASTER", "salt.example.com"),
    ],
)  # fmt: skip
def test_takes_nothing_else_for_a_secret(name: str, value: str) -> None:
    assert known_secrets({name: value}) == {}


@pytest.mark.parametrize("value", ["Bearer s3cr3t-value", "Authorization: Basic s3cr3t-value", "deploy:s3cr3t-value"])
def test_knows_what_is_secret_of_a_header(value: str) -> None:
    assert known_secrets({"AUTH_HEADER": value}) == {"AUTH_HEADER": value, "AUTH_HEADER.part": "s3cr3t-value"}


def test_finds_the_passwords_in_addresses() -> None:
    environ = {
        "DATABASE_URL": "postgres://shop:hunter2%21x@db/shop",
        "CI_REPOSITORY_URL": "https://gitlab-ci-token:glcbt-64_abcdef@gitlab.com/a/b.git",
        "REMOTE": "https://ghx_0123456789abcdef@github.com/a/b",
    }

    assert known_secrets(environ) == {
        "DATABASE_URL.password": "hunter2%21x",
        "DATABASE_URL.password.2": "hunter2!x",
        "CI_REPOSITORY_URL.password": "glcbt-64_abcdef",
        "REMOTE.password": "ghx_0123456789abcdef",
    }


FILES = {
    "netrc": (".netrc", f"machine a.example.com login ada password {SECRET}\n"),
    "netrc, on several lines": (".netrc", f"machine a.example.com\n  login ada\n  password {SECRET}\n"),
    "pypirc": (".pypirc", f"[pypi]\nusername = __token__\npassword = {SECRET}\n"),
    "pip": (".config/pip/pip.conf", f"[global]\nindex-url = https://ada:{SECRET}@pypi.example.com/simple\n"),
    "uv": (".config/uv/uv.toml", f'[[index]]\nurl = "https://ada:{SECRET}@pypi.example.com/simple"\n'),
    "uv, what it was told": (".local/share/uv/credentials/credentials.toml", f'[[credential]]\npassword = "{SECRET}"\n'),
    "poetry": (".config/pypoetry/auth.toml", f'[http-basic.shop]\nusername = "ada"\npassword = "{SECRET}"\n'),
    "npm": (".npmrc", f"//registry.example.com/:_authToken={SECRET}\n"),
    "npm, an encoded password": (".npmrc", f"//r.example.com/:_password={base64.b64encode(SECRET.encode()).decode()}\n"),
    "yarn 1": (".yarnrc", f'"//registry.example.com/:_authToken" "{SECRET}"\n'),
    "yarn": (".yarnrc.yml", f'npmAuthToken: "{SECRET}"\n'),
    "docker": (".docker/config.json", json.dumps({"auths": {"r.example.com": {"auth": BASIC}}})),
    "podman": (".config/containers/auth.json", json.dumps({"auths": {"r.example.com": {"auth": BASIC}}})),
    "aws": (".aws/credentials", f"[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = {SECRET}\n"),
    "aws, signed on": (".aws/sso/cache/1.json", json.dumps({"accessToken": SECRET, "expiresAt": "2026-01-01T00:00:00Z"})),
    "git": (".git-credentials", f"https://ada:{SECRET}@git.example.com\n"),
    "git, a header": (".gitconfig", f'[http "https://git.example.com/"]\n\textraheader = Authorization: Bearer {SECRET}\n'),
    "gh": (".config/gh/hosts.yml", f"github.com:\n    oauth_token: {SECRET}\n    user: ada\n"),
    "glab": (".config/glab-cli/config.yml", f"hosts:\n    gitlab.com:\n        token: {SECRET}\n"),
    "gcloud": (".config/gcloud/application_default_credentials.json", json.dumps({"refresh_token": SECRET})),
    "gcloud, of an account": (".config/gcloud/legacy_credentials/ada/adc.json", json.dumps({"client_secret": SECRET})),
    "azure": (".azure/msal_token_cache.json", json.dumps({"AccessToken": {"x": {"secret": SECRET}}})),
    "kube, in JSON": (".kube/config", json.dumps({"users": [{"name": "ada", "user": {"token": SECRET}}, None, 1]})),
    "kube": (".kube/config", f"users:\n- name: ada\n  user:\n    token: {SECRET}\n"),
    "cargo": (".cargo/credentials.toml", f'[registry]\ntoken = "{SECRET}"\n'),
    "terraform": (".terraform.d/credentials.tfrc.json", json.dumps({"credentials": {"t.example.com": {"token": SECRET}}})),
    "terraform, by hand": (".terraformrc", f'credentials "t.example.com" {{\n  token = "{SECRET}"\n}}\n'),
    "maven": (".m2/settings.xml", f"<server><username>ada</username><password>{SECRET}</password></server>"),
    "gradle": (".gradle/gradle.properties", f"shopPassword={SECRET}\r\norg.gradle.caching=true\r\n"),
    "gem": (".gem/credentials", f"---\n:rubygems_api_key: {SECRET}\n"),
    "bundle": (".bundle/config", f'---\nBUNDLE_GEMS__EXAMPLE__COM: "ada:{SECRET}"\n'),
    "composer": (".config/composer/auth.json", json.dumps({"github-oauth": {"github.com": SECRET}, "bearer": {}})),
    "nuget": (".nuget/NuGet/NuGet.Config", f'<add key="ClearTextPassword" value="{SECRET}" />'),
    "postgresql": (".pgpass", f"# host:port\ndb:5432:*:ada:{SECRET}\n"),
    "mysql": (".my.cnf", f"[client]\npassword={SECRET}\n"),
    "vault": (".vault-token", f"{SECRET}\n"),
    "huggingface": (".cache/huggingface/token", SECRET),
    "hub": (".config/hub", f"github.com:\n- user: ada\n  oauth_token: {SECRET}\n"),
}  # fmt: skip


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize("tool", FILES)
def test_reads_the_files_in_which_tools_keep_secrets(tool: str, tmp_path: Path) -> None:
    written(tmp_path, *FILES[tool])

    assert SECRET in known_secrets({"HOME": str(tmp_path)}).values()


@pytest.mark.parametrize("tool", FILES)
def test_takes_nothing_but_secrets_from_them(tool: str, tmp_path: Path) -> None:
    written(tmp_path, *FILES[tool])

    encoded = {BASIC, base64.b64encode(SECRET.encode()).decode()}
    alike = {f"ada:{SECRET}", f"Authorization: Bearer {SECRET}", "AKIDEXAMPLE"}
    assert set(known_secrets({"HOME": str(tmp_path)}).values()) <= {SECRET, *encoded, *alike}


@pytest.mark.parametrize(("variable", "path"), [("NETRC", "here"), ("KUBECONFIG", "there:here"), ("DOCKER_CONFIG", "")])
def test_reads_the_files_that_variables_name(variable: str, path: str, tmp_path: Path) -> None:
    written(tmp_path, "here", f"password {SECRET}\ntoken: {SECRET}\n")
    written(tmp_path, "config.json", json.dumps({"auth": SECRET}))
    named = ":".join(str(tmp_path / part) for part in path.split(":"))

    assert known_secrets({variable: named}) == {{"NETRC": "netrc", "KUBECONFIG": "kube"}.get(variable, "docker"): SECRET}


def test_reads_private_keys(tmp_path: Path) -> None:
    written(tmp_path, ".ssh/id_ed25519", f"{PEM}\n")
    written(tmp_path, ".ssh/id_ed25519.pub", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 ada@shop")
    written(tmp_path, ".kube/config", f"  client-key-data: {base64.b64encode(PEM.encode()).decode()}\n")

    assert known_secrets({"HOME": str(tmp_path)}) == {"kube": base64.b64encode(PEM.encode()).decode(), "kube.2": PEM}


def test_names_them_after_the_tool_and_each_value_once(tmp_path: Path) -> None:
    written(
        tmp_path, ".pypirc", f"[a]\npassword = {SECRET}\n[b]\npassword = another-s3cret\n[c]\npassword = from-the-variable\n"
    )

    environ = {"HOME": str(tmp_path), "PYPI_TOKEN": "from-the-variable"}
    assert known_secrets(environ) == {"PYPI_TOKEN": "from-the-variable", "pypirc": SECRET, "pypirc.2": "another-s3cret"}


@pytest.mark.parametrize("value", ["${NPM_TOKEN}", "$NPM_TOKEN", "%NPM_TOKEN%", "short", "password", ""])
def test_takes_no_reference_and_no_word_of_everybodys_for_a_secret(value: str, tmp_path: Path) -> None:
    written(tmp_path, ".npmrc", f"_authToken={value}\nregistry=https://registry.example.com/\nalways-auth=true\n")

    assert known_secrets({"HOME": str(tmp_path)}) == {}


def test_passes_over_what_is_odd_large_closed_or_broken(tmp_path: Path) -> None:
    written(tmp_path, ".pypirc", f"password = {SECRET}\n" + "#" * MOST_BYTES)
    written(tmp_path, ".aws/credentials/folder", "")
    written(tmp_path, ".docker/config.json", "[" * 50_000)
    written(tmp_path, ".config/gh", "a file, where a folder is looked for")
    os.mkfifo(tmp_path / ".netrc")
    (tmp_path / ".npmrc").symlink_to("/dev/zero")
    (tmp_path / ".my.cnf").symlink_to(".my.cnf")
    (tmp_path / ".vault-token").write_bytes(b"")
    (tmp_path / ".git-credentials").write_bytes(b"\xff\x00 https://ada:" + SECRET.encode() + b"@git.example.com\n")

    assert known_secrets({"HOME": str(tmp_path), "PIP_CONFIG_FILE": "no\0name"}) == {"git": SECRET}


def test_takes_what_decodes_to_no_text_as_it_is(tmp_path: Path) -> None:
    written(tmp_path, ".npmrc", "_auth=AAECAwQFBgcICQ==\n")

    assert known_secrets({"HOME": str(tmp_path)}) == {"npm": "AAECAwQFBgcICQ=="}


def test_follows_a_link_to_a_file_as_people_keep_them(tmp_path: Path) -> None:
    (tmp_path / ".npmrc").symlink_to(written(tmp_path, "dotfiles/npmrc", f"_authToken={SECRET}\n"))

    assert known_secrets({"HOME": str(tmp_path)}) == {"npm": SECRET}


def test_takes_so_many_values_of_one_file(tmp_path: Path) -> None:
    written(tmp_path, ".netrc", "".join(f"password s3cret-{number}\n" for number in range(MOST_VALUES + 50)))

    assert len(known_secrets({"HOME": str(tmp_path)})) == MOST_VALUES


def test_reads_a_checkouts_configuration(tmp_path: Path) -> None:
    config = f'[http "https://git.example.com/"]\n\textraheader = AUTHORIZATION: basic {BASIC}\n'
    written(tmp_path, ".git/config", config)

    found = known_secrets({}, tmp_path)

    assert {SECRET, BASIC} <= set(found.values())
    assert all(name.startswith("git") for name in found)


def test_reads_what_a_checkouts_configuration_includes(tmp_path: Path) -> None:
    written(tmp_path, "temp/token.config", f"[http]\n\textraheader = AUTHORIZATION: basic {BASIC}\n")
    written(tmp_path, "shop/.git/config", f'[includeIf "gitdir:x"]\n\tpath = {tmp_path}/temp/token.config\n')

    assert SECRET in known_secrets({}, tmp_path / "shop").values()


def test_reads_the_configuration_of_a_worktrees_repository(tmp_path: Path) -> None:
    written(tmp_path, "main/.git/config", f"[remote]\n\turl = https://ada:{SECRET}@git.example.com/shop\n")
    written(tmp_path, "main/.git/worktrees/side/commondir", "../..\n")
    written(tmp_path, "side/.git", f"gitdir: {tmp_path}/main/.git/worktrees/side\n")

    assert known_secrets({}, tmp_path / "side") == {"git": SECRET}


def test_runs_nothing_for_it(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    written(tmp_path, ".git/config", f"[core]\n\tfsmonitor = touch {ran}\n[credential]\n\thelper = !touch {ran}\n")

    assert known_secrets({}, tmp_path) == {}
    assert not ran.exists()


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("postgresql://ada:hunter-22@db/x", {"hunter-22"}),
        ("postgresql://ada:hunter%2D22@db/x", {"hunter%2D22", "hunter-22"}),
        ("postgresql://ada:hunter/2@2@db/x", {"hunter/2@2"}),
        ("postgresql:///x?host=/run&password=hunter-22&sslmode=require", {"hunter-22"}),
        ("postgresql://ada@db/x", set()),
        ("sqlite:////tmp/a:b@c.db", set()),
    ],
)
def test_the_password_of_a_ledger_is_known_however_it_was_said(address: str, found: set[str]) -> None:
    assert set(known_secrets({}, ledger=address).values()) == found
    assert set(known_secrets({"SELFHEAL_LEDGER": address}).values()) == found
