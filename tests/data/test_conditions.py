"""Conditions: from labels and columns to vectors, and from a command line to the same vectors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pyvae import data
from pyvae.data.condition import Condition
from pyvae.data.conditions import Conditions
from pyvae.data.fields import Field
from pyvae.data.summary import summarize
from pyvae.errors import DataError


def test_the_label_of_a_registered_data_set() -> None:
    digits = data.load("digits", conditions="label")
    assert digits.conditions is not None and digits.conditions.dim == 11
    for split in digits.splits.values():
        vector = split.extras["condition"]
        assert vector.shape == (len(split), 11) and vector.dtype == torch.float32
        assert split.y is not None and torch.equal(vector.argmax(1), split.y)
        assert bool((vector.sum(1) == 1).all())
    with pytest.raises(DataError, match="toy2d has no labels that could be a condition"):
        data.load("toy2d", conditions="label")
    with pytest.raises(DataError, match="digits has no condition 'age'; it has label"):
        data.load("digits", conditions=["label", "age"])


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    lines = [f"{i},{20 + i % 50},{'fm'[i % 2]},{i % 3}" for i in range(60)]
    lines[5], lines[6] = "5,,f,1", "6,30,,1"
    path.write_text("\n".join(["x,age,sex,group", *lines]))
    return path


def test_columns_are_conditions_and_no_data(people: Path) -> None:
    found = data.load(people, conditions=["age", "sex", "label"], labels="group")
    assert [column.name for column in found.columns] == ["x"]
    assert found.conditions is not None
    assert found.conditions.places == (
        *("age", "age missing", "sex=f", "sex=m", "sex missing"),
        *("label=0", "label=1", "label=2", "label missing"),
    )
    condition = torch.cat([split.extras["condition"] for split in found.splits.values()])
    x = torch.cat([split.x for split in found.splits.values()])[:, 0]
    five, six = condition[x == 5][0], condition[x == 6][0]
    assert five.tolist() == [0, 1, 1, 0, 0, 0, 1, 0, 0]
    assert six[1:].tolist() == [0, 0, 0, 1, 0, 1, 0, 0]
    train = found.train.extras["condition"]
    seen = train[train[:, 1] == 0, 0]
    assert seen.mean().item() == pytest.approx(0, abs=1e-5)
    assert seen.std(correction=0).item() == pytest.approx(1, abs=1e-5)
    part = found.conditions.parts[0]
    assert condition[x == 0][0, 0].item() == pytest.approx((20 - part.mean) / part.std, rel=1e-5)


def test_what_is_saved_encodes_the_same(people: Path) -> None:
    found = data.load(people, conditions=["age", "sex"])
    assert found.conditions is not None
    again = Conditions.from_dict(json.loads(json.dumps(found.conditions.to_dict())))
    assert again == found.conditions
    rows = {"age": [30, None], "sex": ["M", "f"]}  # letters may be large or small
    assert torch.equal(again.encode(rows), found.conditions.encode(rows))


def test_values_in_every_form() -> None:
    both = Conditions(
        (Condition("digit", "categories", ("3", "7")), Condition("size", "number", (), 1.0, 2.0))
    )
    expected = torch.tensor([[0.0, 1, 0, 1, 0]]).expand(2, -1)
    for digits in (
        [7, 7],
        ["7", "7"],
        np.array([7, 7]),
        torch.tensor([7, 7]),
        np.array([7.0, 7.0]),
    ):
        assert torch.equal(both.encode({"digit": digits, "size": 3}), expected)
    assert torch.equal(both.encode({"digit": "7", "size": "3"}), expected[:1])
    assert both.encode({}).tolist() == [[0, 0, 1, 0, 1]]
    assert both.encode({"size": torch.tensor([float("nan")])}).tolist() == [[0, 0, 1, 0, 1]]
    for rows, said in (
        ({"digit": 8}, "'digit' has no category '8'.* Categories: 3, 7"),
        ({"size": "big"}, "'size' must be a finite number, got 'big'"),
        ({"size": float("inf")}, "'size' must be a finite number, got inf"),
        ({"digits": 7}, "no condition 'digits'; did you mean 'digit'.* Conditions: digit, size"),
        ({"digit": [3, 7], "size": [1, 2, 3]}, "as many values as each other, got 2 of digit, 3"),
    ):
        with pytest.raises(DataError, match=said):
            both.encode(rows)


def test_categories_of_held_out_rows_are_known_too() -> None:
    """A class that only the test split has must have its place."""
    values = Field.of(["a"] * 9 + ["b"])
    assert Condition.of("kind", values, train=8).categories == ("a", "b")
    with pytest.raises(DataError, match="missing in all rows for training"):
        Condition.of("kind", Field.of([None, None, "a"]), train=2)
    constant = Condition.of("size", Field.of([3.0, 3.0, 4.0]), train=2)
    assert constant.encode(Field.of([3.0, 4.0]))[:, 0].tolist() == [0, 1]


def test_a_condition_that_is_to_be_embedded_is_the_number_of_its_category(people: Path) -> None:
    """Numbers count as names; the number of a missing value comes after all others."""
    found = data.load(people, conditions=["age", "sex:embedding=3", "group:embedding=2"])
    assert found.conditions is not None
    assert found.conditions.embeddings == ((2, 3, 3), (3, 4, 2))
    assert found.conditions.dim == 4
    rows = {"age": 30, "sex": ["m", "f", None], "group": [0, 2.0, "1"]}
    assert found.conditions.encode(rows)[:, 2:].tolist() == [[1, 0], [0, 2], [2, 1]]
    again = Conditions.from_dict(json.loads(json.dumps(found.conditions.to_dict())))
    assert again == found.conditions
    old = found.conditions.to_dict()
    for part in old["parts"]:
        del part["embedding"]  # as it was saved before there were any
    assert Conditions.from_dict(old).parts[0] == found.conditions.parts[0]
    with pytest.raises(DataError, match=r"'sex' must have a positive width, .* got '0'"):
        data.load(people, conditions="sex:embedding=0")
    with pytest.raises(DataError, match="'sex' was named twice"):
        data.load(people, conditions=["sex", "sex:embedding=2"])


def test_conditions_of_other_data_mean_the_same_here(people: Path, tmp_path: Path) -> None:
    """Those of a run are given to new data, which may know only some of the categories."""
    found = data.load(people, conditions=["age", "sex"])
    lines = [line for line in people.read_text().splitlines() if ",f," not in line]
    other = tmp_path / "men.csv"
    other.write_text("\n".join(lines))
    men = data.load(other, conditions=found.conditions)
    assert men.conditions == found.conditions
    for split in men.splits.values():
        for x, condition in zip(split.x[:, 0], split.extras["condition"], strict=True):
            (same,) = (
                s.extras["condition"][s.x[:, 0] == x]
                for s in found.splits.values()
                if (s.x[:, 0] == x).any()
            )
            assert torch.equal(condition, same[0])
    other.write_text("\n".join(["x,age,sex,group", *(f"{i},20,d,0" for i in range(20))]))
    with pytest.raises(DataError, match=r"'sex' has no category 'd'"):
        data.load(other, conditions=found.conditions)


def test_hidden_labels_are_missing_conditions() -> None:
    digits = data.load("digits", conditions="label", labels_per_class=5, labelled_share=0.0)
    condition, y = digits.train.extras["condition"], digits.train.y
    assert y is not None and digits.conditions is not None
    assert int(condition[:, -1].sum()) == len(y) - 50
    assert torch.equal(condition[y >= 0].argmax(1), y[y >= 0])
    assert digits.conditions.places[-2:] == ("label=9", "label missing")
    classes = summarize(digits).classes
    assert classes["unlabelled"] == len(y) - 50 and sum(classes.values()) == 1797


def test_unlabelled_rows_are_missing_conditions(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones((20, 2)), y=np.array([1.0, np.nan] * 10))
    found = data.load(tmp_path / "a.npz", conditions="label")
    assert found.classes == ("1", "unlabelled") and found.conditions is not None
    assert found.conditions.places == ("label=1", "label missing")
    assert found.train.y is not None
    assert torch.equal(found.train.extras["condition"].argmax(1), found.train.y)
