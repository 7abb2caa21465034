"""Few labels: which rows keep theirs, and how often they come."""

from __future__ import annotations

import pytest
import torch

from pyvae.data import DataError, load


def test_so_many_rows_of_each_class_keep_their_label() -> None:
    whole, few = load("digits"), load("digits", labels_per_class=5, labelled_share=0)
    assert torch.equal(few.train.x, whole.train.x)
    kept = few.train.y >= 0
    assert few.train.y[kept].bincount().tolist() == [5] * 10
    assert torch.equal(few.train.y[kept], whole.train.y[kept])
    assert torch.equal(few.test.y, whole.test.y)


def test_labelled_rows_are_repeated_to_their_share() -> None:
    whole = load("digits")
    few = load("digits", labels_per_class=3, labelled_share=0.5)
    assert 0.49 < float((few.train.y >= 0).float().mean()) < 0.51
    n = len(whole.train)
    assert torch.equal(few.train.x[:n], whole.train.x)
    repeated = few.train.x[n:].flatten(1)
    assert len(repeated.unique(dim=0)) == 30
    assert (few.train.y[n:] >= 0).all()
    weight = few.train.extras["weight"]
    assert weight.sum().item() == pytest.approx(n)
    assert (weight[few.train.y < 0] == 1).all()


def test_another_seed_keeps_other_rows() -> None:
    first, again, other = (
        load("digits", labels_per_class=5, labels_seed=seed, labelled_share=0).train.y
        for seed in (0, 0, 1)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_what_cannot_be() -> None:
    with pytest.raises(DataError, match="labels_per_class=5000, but class 0 has"):
        load("digits", labels_per_class=5000)
    with pytest.raises(DataError, match="labels_per_class must be at least 1"):
        load("digits", labels_per_class=0)
    with pytest.raises(DataError, match="has no labels of which"):
        load("toy2d", labels_per_class=5)
    with pytest.raises(TypeError, match="go with labels_per_class"):
        load("digits", labels_seed=5)


@pytest.mark.parametrize("option", ["labels_per_class", "labels_seed", "labelled_share"])
def test_options_of_another_type_are_named(option: str) -> None:
    with pytest.raises(DataError, match=f"^{option} must be a .*number, got 'many'$"):
        load("digits", **{"labels_per_class": 5, option: "many"})
