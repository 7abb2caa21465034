"""What the documentation says can be done: code runs, commands parse, links lead somewhere."""

import importlib
import inspect
import re
import shlex
from pathlib import Path

import pytest
import torch

import pyvae.data
import pyvae.presets  # registered before a page's registrations are undone
from pyvae import cli, functional, registry
from pyvae.cli.pairs import parse_pairs
from pyvae.config import PARTS, TrainConfig

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
pages = pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)


def blocks(page, language):
    return [code for name, code in FENCE.findall(page.read_text()) if name == language]


def commands(page):
    """Every ``pyvae ...`` in a shell block or between backticks, as words."""
    spans = re.findall(r"`(pyvae [^`\n]+)`", FENCE.sub("", page.read_text()))
    shell = "\n".join(blocks(page, "sh")).replace("\\\n", " ")
    for line in [*spans, *re.split("&&|\n", shell)]:
        words = shlex.split(line, comments=True)
        if words and Path(words[0]).name == "pyvae":
            yield words[1:]


def test_the_pages_are_found():
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "ops.md"} <= {p.name for p in PAGES}
    assert ["train"] in list(commands(ROOT / "README.md"))
    assert sum(len(blocks(page, "python")) for page in PAGES) > 8


@pytest.fixture
def run_page(tmp_path, monkeypatch):
    """Runs the Python of a page; what it registers is gone afterwards."""
    monkeypatch.chdir(tmp_path)
    for kind in registry.registries.values():
        monkeypatch.setattr(kind, "_parts", dict(kind._parts))
        monkeypatch.setattr(kind, "_origins", dict(kind._origins))

    def run(page):
        torch.manual_seed(0)
        monkeypatch.setenv("PYVAE_CACHE", str(tmp_path / "cache"))
        for code in blocks(page, "cpp"):  # a header says its name first
            if name := re.match(r"// (\w+\.h)\n", code):
                (tmp_path / name[1]).write_text(code)
        namespace = {"__name__": page.stem}
        for number, code in enumerate(blocks(page, "python")):
            exec(compile(code, f"{page.name}, python block {number}", "exec"), namespace)
        return namespace

    return run


@pages
def test_python_blocks_run(page, run_page):
    run_page(page)


def test_parts_of_ones_own_go_with_the_objective_of_ones_own(run_page):
    """Each page is written without the other in mind."""
    parts = run_page(ROOT / "docs" / "parts.md")
    objective = run_page(ROOT / "docs" / "objectives.md")["HeldRate"]()
    for posterior in ("laplace", "diagonal_gaussian"):
        model = pyvae.VAE((1, 8, 8), 2, "rows", posterior=posterior, likelihood="student_t")
        result = objective(model, parts["batches"].next().x / 255)
        result.loss.backward()
        assert result.terms["kl"].isfinite()
        assert all(p.grad is not None for p in model.parameters())


def test_the_one_line_swap_gives_the_same_loss():
    namespace = {}
    first, second = blocks(ROOT / "README.md", "python")[:2]
    torch.manual_seed(0)
    exec(first, namespace)
    exec(second, namespace)  # with other noise
    assert namespace["loss"].item() == pytest.approx(namespace["before"].item(), rel=0.02)


@pages
def test_commands_parse(page, monkeypatch):
    for words in commands(page):
        name = words[0]
        assert name in cli.COMMANDS, words
        module = importlib.import_module(f"pyvae.cli.{cli.COMMANDS[name][0]}")
        seen = []
        with monkeypatch.context() as patch:
            patch.setattr(module, "run", lambda arguments, seen=seen: seen.append(arguments) or 0)
            assert cli.main(words) == 0, words
        if name == "train":
            check_settings(vars(seen[0]))


def check_settings(given):
    """The parts exist and the settings make sense."""
    fields = TrainConfig.__dataclass_fields__
    given = {name: value for name, value in given.items() if name in fields}
    for name in given:
        if name.endswith("_args"):
            given[name] = parse_pairs(given[name], name)
    config = TrainConfig.from_dict(given)
    for kind in PARTS:
        name = getattr(config, kind)
        if kind == "dataset" and pyvae.data.is_path(name):
            continue
        # "laplace" is the plugin that docs/parts.md tells how to write, "student_t" is in examples
        if kind != "optimizer":
            known = registry.registries[f"{kind}s"].names()
            assert name in [*known, "laplace", "student_t"]


def documented_ops():
    """The signatures in the first column of the table of ops, by name."""
    for row in re.findall(r"^\| (`.*?`) \| ", (ROOT / "docs" / "ops.md").read_text(), re.MULTILINE):
        for call in re.findall(r"`(\w+\(.*?\))`(?:,|$)", row):
            yield call.partition("(")[0], call


def test_every_op_is_documented_with_its_arguments():
    """But for those that the page says once for all."""
    said_once = {"batch_ndim", "mask", "generator", "seed", "inplace", "dtype", "device"}
    documented = dict(documented_ops())
    assert sorted(documented) == sorted(functional.__all__)
    for name, call in documented.items():
        namespace = {}
        exec(f"def {call}: ...", namespace)
        given, true = (
            [
                (p.name, p.kind, p.default)
                for p in inspect.signature(function).parameters.values()
                if p.name not in said_once
            ]
            for function in (namespace[name], getattr(functional, name))
        )
        assert given == true, name


#: The page that tells of all parts of a kind, beside the README.
TOLD_IN = {
    "priors": "parts.md",
    "posteriors": "parts.md",
    "likelihoods": "parts.md",
    "models": "parts.md",
    "objectives": "objectives.md",
    "datasets": "data.md",
}
#: "file" goes by paths.
UNTOLD = {"file"}


def shipped(kind):
    """The names of pyvae's own parts; a plugin may be installed."""
    known = registry.registries[kind]
    return [n for n in known.names() if known.get(n).__module__.startswith("pyvae.")]


@pytest.mark.parametrize("kind", ["encoders", "decoders", *TOLD_IN])
def test_every_part_is_told_of(kind):
    for page in {"README.md", f"docs/{TOLD_IN[kind]}" if kind in TOLD_IN else "README.md"}:
        text = (ROOT / page).read_text()
        titles = " ".join(re.findall(r"^#+ (.*)$", text, re.MULTILINE))
        told = {*re.findall(r"`(\w+)`", text), *titles.split()}
        assert set(shipped(kind)) - told - UNTOLD == set(), page


def test_every_command_is_in_the_readme():
    assert {words[0] for words in commands(ROOT / "README.md")} == set(cli.COMMANDS)


def anchors(page):
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pages
def test_links_and_pictures_exist(page):
    text = FENCE.sub("", page.read_text())
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link}"


@pages
def test_no_figure_is_left_open(page):
    assert re.findall(r"\{\{.*?\}\}", page.read_text()) == []


def test_ci_runs_the_command_of_the_readme():
    text = (ROOT / "README.md").read_text()
    marked = re.findall(r"<!-- test command -->\n(.*?)<!-- test command -->", text, re.DOTALL)
    assert len(marked) == 1
    (code,) = [body for _, body in FENCE.findall(marked[0])]
    assert re.fullmatch(r".* && \.venv/bin/pytest( -[^&]*)?\n", code)
    assert "<!-- test command -->" in (ROOT / ".ci" / "run").read_text()
