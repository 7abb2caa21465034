"""Parts are found by name, built with checked options, and added by other packages."""

import os
import shutil
import subprocess
import sys
import warnings
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch

import pyvae
from pyvae import VAE, registry
from pyvae.registry import Registry, UnknownPartError

PLUGIN = Path(__file__).parent / "plugin"


@pytest.fixture
def shapes():
    shapes = Registry("shape", "pyvae.test_shapes")

    @shapes.register("square")
    class Square:
        def __init__(self, side, color="red"):
            self.side, self.color = side, color

    @shapes.register("anything")
    class Anything:
        def __init__(self, **options):
            self.options = options

    return shapes


def entry_points(monkeypatch, **points):
    """Pretend that some installed package announces these parts."""
    found = [EntryPoint(name, value, "pyvae.test_shapes") for name, value in points.items()]
    monkeypatch.setattr(registry, "entry_points", lambda group: found)


def test_create_and_names(shapes):
    assert shapes.names() == ["anything", "square"]
    square = shapes.create("square", side=2)
    assert (type(square), square.side, square.color) == (shapes.get("square"), 2, "red")
    assert shapes.create("anything", x=1).options == {"x": 1}
    assert "square" in shapes and "circle" not in shapes


def test_a_duplicate_raises_and_changes_nothing(shapes):
    before = shapes.get("square")
    with pytest.raises(ValueError, match="'square' is already registered"):
        shapes.register("square")(dict)
    assert shapes.get("square") is before
    shapes.register("square")(before)  # the same object once more changes nothing


CELL = """
@shapes.register("round")
class Round:
    radius = {radius}

@shapes.register("made")
def make():
    return {radius}
"""


def test_a_notebook_cell_can_be_run_again(shapes):
    notebook = {"__name__": "__main__", "shapes": shapes}
    for radius in (1, 2):
        exec(CELL.format(radius=radius), notebook)
        assert shapes.get("round") is notebook["Round"]
        assert (shapes.create("round").radius, shapes.create("made")) == (radius, radius)
    elsewhere = {"__name__": "another_module", "shapes": shapes}
    with pytest.raises(ValueError, match="'round' is already registered, by __main__"):
        exec(CELL.format(radius=3), elsewhere)
    renamed = CELL.format(radius=3).replace("class Round", "class Rounder")
    with pytest.raises(ValueError, match="'round' is already registered"):
        exec(renamed, notebook)
    assert shapes.create("round").radius == 2


def test_bad_registrations_raise(shapes):
    with pytest.raises(ValueError, match="non-empty string"):
        shapes.register("")
    with pytest.raises(TypeError, match="class or a function"):
        shapes.register("three")(3)


def test_an_unknown_name_lists_the_nearest_and_all(shapes):
    with pytest.raises(UnknownPartError) as error:
        shapes.create("sqare")
    message = str(error.value)
    assert "unknown shape 'sqare'" in message
    assert "did you mean 'square'?" in message
    assert "Choices: anything, square" in message
    assert isinstance(error.value, KeyError)


def test_an_unknown_option_names_part_option_and_choices(shapes):
    with pytest.raises(TypeError) as error:
        shapes.create("square", side=2, colour="blue")
    message = str(error.value)
    for expected in ("'square'", "'colour'", "did you mean 'color'?", "Choices: color"):
        assert expected in message
    with pytest.raises(TypeError, match="'square' needs the option"):
        shapes.create("square")


def test_entry_points_are_loaded_only_when_they_are_needed(shapes, monkeypatch):
    entry_points(monkeypatch, tree="collections:OrderedDict", broken="no_such_module_at_all:X")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the broken one is not touched
        assert shapes.get("square") is not None
        assert shapes.get("tree").__name__ == "OrderedDict"
    assert shapes.broken == {}
    assert shapes.is_plugin("tree")


def test_a_broken_entry_point_is_reported_once_and_harms_nobody(shapes, monkeypatch):
    entry_points(monkeypatch, tree="collections:OrderedDict", broken="no_such_module_at_all:X")
    with pytest.warns(UserWarning, match="no_such_module_at_all"):
        assert shapes.names() == ["anything", "square", "tree"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert shapes.names() == ["anything", "square", "tree"]
        with pytest.raises(UnknownPartError, match=r"'broken' is broken.*no_such_module_at_all"):
            shapes.get("broken")
    assert list(shapes.broken) == ["broken"]


def test_a_plugin_cannot_take_the_name_of_another_part(shapes, monkeypatch):
    before = shapes.get("square")
    entry_points(monkeypatch, square="collections:OrderedDict")
    fresh = Registry("encoder", "pyvae.encoders")
    fresh.register("mlp")(pyvae.encoders.MLPEncoder)
    entry_points(monkeypatch, mlp="collections:OrderedDict")
    with pytest.warns(UserWarning, match="taken by pyvae's own encoder"):
        assert fresh.names() == ["mlp"]
    assert fresh.get("mlp") is pyvae.encoders.MLPEncoder
    assert shapes.get("square") is before


def test_of_two_plugins_with_one_name_the_first_stays(shapes, monkeypatch):
    values = ["collections:OrderedDict", "collections:OrderedDict", "collections:Counter"]
    found = [EntryPoint("tree", value, "pyvae.test_shapes") for value in values]
    monkeypatch.setattr(registry, "entry_points", lambda group: found)
    with pytest.warns(UserWarning, match="Counter.*taken by collections:OrderedDict") as caught:
        assert shapes.get("tree").__name__ == "OrderedDict"
    assert len(caught) == 1


def test_the_parts_that_ship():
    shipped = {
        "encoders": {"mlp", "conv"},
        "decoders": {"mlp", "conv"},
        "priors": {"diagonal_gaussian", "mixture_of_gaussians", "standard_normal", "vampprior"},
        "posteriors": {"categorical", "diagonal_gaussian", "full_gaussian", "iaf", "planar"},
        "likelihoods": {"bernoulli", "discretized_logistic_mixture", "gaussian", "poisson"},
        "objectives": {"aae", "elbo", "factor_vae", "infovae", "iwae", "mmd_vae", "tc_vae"},
        "models": {"helmholtz", "vae"},
    }
    for kind, names in shipped.items():
        parts = registry.registries[kind]
        assert names <= set(parts.names())
        assert all(parts.origin(name) == "pyvae" and not parts.is_plugin(name) for name in names)


SCRIPT = """
import warnings
import torch
from pyvae import VAE, registry

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    names = registry.encoders.names()
    registry.encoders.names()
assert len(caught) == 1 and "a_module_that_nobody_has" in str(caught[0].message), caught
assert "random_projection" in names and "mlp" in names and "broken" not in names, names
assert list(registry.encoders.broken) == ["broken"]
assert registry.encoders.origin("random_projection") == "pyvae-plugin-example"
assert registry.encoders.is_plugin("random_projection") and not registry.encoders.is_plugin("mlp")

vae = VAE((1, 4, 4), 2, encoder="random_projection", encoder_args={"features": 8},
          posterior="laplace", prior="wide_laplace", prior_args={"scale": 3})
objective = registry.objectives.create("penalized_elbo", weight=0.1)
result = objective(vae, torch.rand(5, 1, 4, 4))
result.loss.backward()
terms = result.terms
assert torch.allclose(result.loss, -terms["elbo"] + 0.1 * terms["penalty"]), terms
vae.save_pretrained("saved")
again = VAE.from_pretrained("saved")
assert again.config == vae.config
assert torch.equal(again.encoder.weight, vae.encoder.weight)
try:
    VAE(encoder="broken")
except KeyError as error:
    assert "a_module_that_nobody_has" in str(error), error
else:
    raise AssertionError("a broken plugin was used")

from pyvae.cli import main

for extra in ([], ["--prior", "standard_normal"], ["--posterior", "diagonal_gaussian"]):
    given = ["--posterior", "laplace", "--prior", "wide_laplace", "--objective", "penalized_elbo"]
    given += ["--objective-args", "weight=0.01", "--steps", "3", "--eval-samples", "2", "--quiet"]
    assert main(["train", "--out", "run", "--overwrite", *given, *extra]) == 0
assert main(["evaluate", "run"]) == 0
assert main(["list", "posteriors"]) == 0
print("used")
"""


def test_parts_of_an_installed_package_work_by_name(tmp_path):
    source, target = tmp_path / "source", tmp_path / "site"
    shutil.copytree(PLUGIN, source)  # building leaves files beside the sources
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    install += ["--no-build-isolation", "--disable-pip-version-check"]
    done = subprocess.run(
        [*install, "--target", str(target), str(source)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    home = str(Path(pyvae.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(target), home])},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip().endswith("used"), done.stderr
    assert "Laplace(m(x), exp(s(x))). [plugin of pyvae-plugin-example]" in done.stdout


def test_a_network_by_its_import_path(tmp_path, monkeypatch):
    (tmp_path / "own_nets.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self, data_shape, width=5):\n"
        "        super().__init__()\n"
        "        self.out_features = width\n"
        "        self.layer = nn.LazyLinear(width)\n"
        "    def forward(self, x):\n"
        "        return self.layer(x.flatten(1))\n"
        "def function():\n"
        "    pass\n"
    )
    monkeypatch.chdir(tmp_path)
    model = VAE((1, 4, 4), 2, encoder="own_nets:Net", encoder_args={"width": 7})
    assert model.encode(torch.zeros(3, 1, 4, 4)).mean.shape == (3, 2)
    model.save_pretrained(tmp_path / "saved")
    same = VAE.from_pretrained(tmp_path / "saved")
    assert same.encoder.out_features == 7
    for path, said in [
        ("own_nets:Other", "could not be imported .AttributeError"),
        ("no_such_module:Net", "could not be imported .ModuleNotFoundError"),
        ("own_nets:function", "must be a class of torch.nn.Module"),
        ("subprocess:Popen", "must be a class of torch.nn.Module"),
    ]:
        with pytest.raises(registry.UnknownPartError, match=said):
            VAE((1, 4, 4), 2, encoder=path)
