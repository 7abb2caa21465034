"""The noise: Random123's words, standard normal, one function of the seed."""

import math

import pytest
import torch
from scipy import stats
from torch.testing import assert_close

from pyvae import functional as F
from pyvae import reference

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
LENGTHS = [
    (1,),
    (3, 1),
    (5, 3),
    (7, 5),
    (3, 20),
    (5, 50),
    (3, 784),
    (2, 5000),
    (11, 4097),
    (2, 3, 5, 7),
]


def normals(*shape, seed, dtype=torch.float32):
    """The kernel's noise: a sample of N(0, I)."""
    zero = torch.zeros((), dtype=dtype).expand(shape)
    return F.gaussian_rsample(zero, zero, seed=torch.as_tensor(seed))


def words(counter, key):
    """One block of Philox4x32-10 with any counter and key, in Python's integers."""
    x, k = list(counter), list(key)
    for _ in range(10):
        p, q = x[0] * 0xD2511F53, x[2] * 0xCD9E8D57
        x = [(q >> 32) ^ x[1] ^ k[0], q % 2**32, (p >> 32) ^ x[3] ^ k[1], p % 2**32]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return x


# Random123 1.09, examples/kat_vectors: philox 4x32 10.
KNOWN = [
    ([0] * 4, [0] * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ([2**32 - 1] * 4, [2**32 - 1] * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


@pytest.mark.parametrize("counter, key, answer", KNOWN, ids=["zero", "ones", "pi"])
def test_known_answers(counter, key, answer):
    assert words(counter, key) == [int(w, 16) for w in answer.split()]


@pytest.mark.parametrize("seed", [0, 1, -1, 2**63 - 1, -(2**63), 0x299F31D0A4093822], ids=hex)
def test_the_reference_makes_those_words(seed):
    key = [seed % 2**32, seed % 2**64 >> 32]
    made = reference.philox(torch.tensor(seed), 40)
    assert made.tolist() == [words([c, 0, 0, 0], key) for c in range(40)]
    if seed == 0:
        assert made[0].tolist() == [int(w, 16) for w in KNOWN[0][2].split()]


@pytest.mark.parametrize("seed", [0, -1, 0x299F31D0A4093822], ids=hex)
@pytest.mark.parametrize("shape", LENGTHS, ids=str)
def test_the_kernel_makes_the_normals_of_the_reference(shape, seed):
    truth = reference.philox_normal(torch.tensor(seed), shape, torch.float64)
    for dtype in DTYPES:
        made = normals(*shape, seed=seed, dtype=dtype)
        # u near 1 has few bits in float32: a normal near 0 may be off by more than its rounding.
        near = {torch.float64: 1e-13, torch.float32: 3e-4}.get(dtype, 1e-3)
        far = torch.finfo(dtype).eps * 4
        assert_close(made.double(), truth, rtol=0, atol=near + far * 6)
        assert (made.double() - truth).abs().median() <= far


def test_the_noise_is_a_prefix_of_one_stream():
    """An element's noise depends on its place alone, not on shape, chunks or what else is drawn."""
    long = normals(200_003, seed=9)
    for n in (1, 2, 3, 5, 63, 64, 1023, 4099, 131_075):
        assert torch.equal(normals(n, seed=9), long[:n])
    assert torch.equal(normals(67, 2985, seed=9).flatten(), long[: 67 * 2985])


def test_all_dtypes_have_the_same_noise():
    double = normals(3, 1001, seed=4, dtype=torch.float64)
    single = normals(3, 1001, seed=4)
    assert (single.double() - double).abs().max() < 1e-5
    for half in (torch.bfloat16, torch.float16):
        assert torch.equal(normals(3, 1001, seed=4, dtype=half), single.to(half))


@pytest.fixture(scope="module")
def many():
    return normals(10_000_000, seed=123).double()


def test_moments(many):
    n = many.numel()
    for power, moment, variance in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (6, 15, 10_170)]:
        assert abs(many.pow(power).mean() - moment) < 4.5 * math.sqrt(variance / n), power
    assert 4.9 < many.abs().max() < 6.5


def test_kolmogorov_smirnov(many):
    # sqrt(n) D over all draws has Kolmogorov's distribution; the subsets would show a bad residue.
    for part in (many, *many.reshape(-1, 4).T):
        ordered = 0.5 * torch.erfc(-part.sort().values / math.sqrt(2))
        n = part.numel()
        steps = torch.arange(n + 1, dtype=torch.float64) / n
        distance = torch.max((steps[1:] - ordered).max(), (ordered - steps[:-1]).max()).item()
        assert stats.kstwobign.sf(distance * math.sqrt(n)) > 1e-4


def test_no_serial_correlation(many):
    for draws in (many, many.square() - 1, many.abs() - math.sqrt(2 / math.pi)):
        spread = draws.std().item() ** 2
        for lag in (1, 2, 3, 4, 5, 8, 16, 64, 128, 256, 4096):
            product = (draws[lag:] * draws[:-lag]).mean().item() / spread
            assert abs(product) < 4.5 / math.sqrt(many.numel()), lag


def test_different_seeds_are_uncorrelated():
    n = 1_000_000
    near = [0, 1, 2, -1, 1 << 32, (1 << 32) + 1, 1 << 62]
    streams = torch.stack([normals(n, seed=s) for s in near]).double()
    correlation = torch.corrcoef(streams) - torch.eye(len(near))
    assert correlation.abs().max() < 4.5 / math.sqrt(n)
    assert (torch.corrcoef(streams.square()) - torch.eye(len(near))).abs().max() < 4.5 / math.sqrt(
        n
    )


def test_streams_are_those_of_their_seeds():
    mean, logvar, seeds = torch.randn(5, 7, 3), torch.randn(5, 7, 3), torch.tensor([3, -4, 5, 3, 0])
    z = F.gaussian_rsample(mean, logvar, seed=seeds)
    one_by_one = [
        F.gaussian_rsample(m, v, seed=s) for m, v, s in zip(mean, logvar, seeds, strict=True)
    ]
    assert torch.equal(z, torch.stack(one_by_one))


DRAWS = {
    "gaussian_rsample": lambda **how: F.gaussian_rsample(
        torch.zeros(4, 5), torch.zeros(4, 5), **how
    ),
    "gaussian_rsample_kl": lambda **how: F.gaussian_rsample_kl(
        torch.zeros(4, 5), torch.zeros(4, 5), **how
    )[0],
    "rank1_gaussian_rsample_kl": lambda **how: F.rank1_gaussian_rsample_kl(
        *torch.zeros(3, 4, 5), **how
    )[0],
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_what_governs_the_noise(draw):
    torch.manual_seed(1)
    first, second = draw(), draw()
    torch.manual_seed(1)
    assert torch.equal(draw(), first) and torch.equal(draw(), second)
    assert not torch.equal(first, second)

    generator = torch.Generator().manual_seed(2)
    state = torch.get_rng_state()
    a, b = draw(generator=generator), draw(generator=generator)
    assert torch.equal(torch.get_rng_state(), state)  # the default generator is left alone
    assert torch.equal(draw(generator=generator.manual_seed(2)), a) and not torch.equal(a, b)

    seed = torch.tensor(3)
    assert torch.equal(draw(seed=seed), draw(seed=seed))
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(draw(seed=seed), draw(seed=seed + 1))
    assert torch.equal(draw(seed=seed), DRAWS["gaussian_rsample"](seed=seed))
