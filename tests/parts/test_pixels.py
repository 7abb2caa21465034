"""What each autoregressive decoder of images, and the belief network, is in particular."""

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from pyvae.decoders import MADEDecoder, PixelCNNDecoder, PixelCNNPPDecoder, PixelRNNDecoder
from pyvae.decoders.autoregressive.lstm import DiagonalBiLSTM, RowLSTM
from pyvae.models import AutoregressiveModel
from pyvae.networks import init_weights, positions_of


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def seen_by(net, shape, pixel):
    """Which pixels of an image have a part in the parameters of one."""
    return slope_of(net, shape, pixel) != 0


def slope_of(net, shape, pixel):
    """That of the parameters of one pixel in each pixel of an image."""
    x = torch.randn(1, *shape, requires_grad=True)
    at = positions_of(shape)[0]
    params = net(torch.zeros(1, 0), x)[0, 0]
    (grad,) = torch.autograd.grad(params[at == pixel].sum(), x)
    return grad[0, 0]


def lstm(gates, cell):
    """The equations of an LSTM, with gates in the order output, forget, input, content."""
    o, f, i, g = gates.chunk(4, 1)
    cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
    return o.sigmoid() * cell.tanh(), cell


def nothing(n, hidden):
    return torch.zeros(n, hidden), torch.zeros(n, hidden)


def test_the_row_lstm_is_that_of_the_paper():
    layer = RowLSTM(3)
    h = torch.randn(2, 6, 4, 5)
    seen = layer.inputs(F.pad(h, [1, 0]))  # a kernel of 3 without its right column
    states = {}
    for i in range(4):
        for j in range(5):
            above = [states.get((i - 1, j + k), nothing(2, 3))[0] for k in (-1, 0, 1)]
            carried = layer.states(torch.stack(above, 2))[:, :, 0]
            cell = states.get((i - 1, j), nothing(2, 3))[1]
            states[i, j] = lstm(seen[:, :, i, j] + carried, cell)
    expected = torch.stack([states[i, j][0] for i in range(4) for j in range(5)], 2)
    assert_close(layer(h), h + layer.out(expected.unflatten(2, (4, 5))))


def test_the_diagonal_bilstm_is_that_of_the_paper():
    """On the map whose rows are each moved by one against the one above, column by column."""
    layer = DiagonalBiLSTM(3)
    h = torch.randn(2, 6, 4, 5)
    height, width = 4, 5
    sides = []
    for side, image in enumerate([h, h.flip(3)]):
        weight = layer.states.weight.chunk(2)[side]
        seen = layer.inputs(image).chunk(2, 1)[side]
        skewed = torch.zeros(2, 12, height, height + width - 1)
        for i in range(height):
            skewed[:, :, i, i : i + width] = seen[:, :, i]
        inside = torch.zeros(height, height + width - 1)
        for i in range(height):
            inside[i, i : i + width] = 1
        state, cell = torch.zeros(2, 3, height), torch.zeros(2, 3, height)
        columns = []
        for d in range(height + width - 1):
            gates = skewed[..., d] + F.conv1d(F.pad(state, [1, 0]), weight)
            state, cell = (t * inside[:, d] for t in lstm(gates, cell))
            columns.append(state)
        out = torch.stack(columns, 3)
        sides.append(torch.stack([out[:, :, i, i : i + width] for i in range(height)], 2))
    left, right = sides[0], sides[1].flip(3)
    right = torch.cat([torch.zeros(2, 3, 1, width), right[:, :, :-1]], 2)
    assert_close(layer(h), h + layer.out(left + right))


@pytest.mark.parametrize("lstm_name", ["diagonal", "row"])
def test_what_a_pixelrnn_sees_of_the_image(lstm_name):
    """Diagonal BiLSTMs all pixels before, but for one; Row LSTMs a triangle."""
    shape = (1, 6, 7)
    net = PixelRNNDecoder(
        0, shape, shape, positions_of(shape), lstm=lstm_name, hidden=4, layers=1, first_size=3
    ).double()
    before = positions_of(shape)[0]
    for pixel in (3 * 7 + 3, 5 * 7, 6 * 7 - 1):
        i, j = divmod(pixel, 7)
        x = torch.randn(1, *shape, dtype=torch.float64, requires_grad=True)
        params = net(torch.zeros(1, 0, dtype=torch.float64), x)[0, 0, i, j]
        sees = torch.autograd.grad(params, x)[0][0, 0] != 0
        if lstm_name == "diagonal":
            expected = before < pixel
            if i:  # the end of the row above is seen from the first convolution's reach alone
                expected[i - 1, 6] = j >= 5
            assert torch.equal(sees, expected)
            continue
        rows, columns = torch.arange(6)[:, None], torch.arange(7)
        # a state k rows up is seen k columns to either side, its input one more to the left, and
        # the first convolution reaches one further
        triangle = (columns - j >= rows - i - 2) & (columns - j <= i - rows)
        assert torch.equal(sees, (before < pixel) & triangle)


def test_a_pixelcnn_starts_with_an_eye_for_far_pixels():
    """As torch starts its layers, six rows above counts a thousandth of the row above."""
    shape = 1, 28, 28
    nets = [PixelCNNDecoder(0, shape, shape, positions_of(shape)) for _ in range(5)]
    slopes = torch.stack([slope_of(net, shape, 14 * 28 + 14).abs() for net in nets]).mean(0)
    assert slopes[14 - 6, 14] > 0.05 * slopes[14 - 1, 14]
    assert slopes[14, 14 - 6] > 5e-3 * slopes[14, 14 - 1]
    # What the branches add together is of one size, however many there are.
    x = torch.rand(8, *shape)
    for blocks in (2, 20):
        net = PixelCNNDecoder(0, shape, shape, positions_of(shape), blocks=blocks)
        ratio = net.features(torch.zeros(8, 0), x).std() / net.first(x).std()
        assert 1.5 < ratio < 5


def test_dropout_belongs_to_training_alone():
    shape = (1, 4, 4)
    net = PixelCNNPPDecoder(0, shape, shape, positions_of(shape), channels=4, layers=1, sizes=2)
    z, x = torch.zeros(2, 0), torch.randn(2, *shape)
    assert not torch.equal(net(z, x), net(z, x))
    net.eval()
    assert torch.equal(net(z, x), net(z, x))


def test_weights_of_pixelcnn_pp_are_normalized():
    """Scaling a direction changes nothing; init_weights draws what the layers use."""
    shape = (1, 4, 4)
    net = PixelCNNPPDecoder(0, shape, shape, positions_of(shape), channels=4, layers=1, sizes=2)
    net.eval()
    z, x = torch.zeros(2, 0), torch.randn(2, *shape)
    before = net(z, x)
    directions = [p for name, p in net.named_parameters() if name.endswith("weight.original1")]
    convolutions = [m for m in net.modules() if hasattr(m, "parametrizations")]
    assert len(directions) == len(convolutions) > 20
    with torch.no_grad():
        for p in directions:
            p.mul_(3.0)
    assert_close(net(z, x), before)
    init_weights(net, "normal", std=2.0)
    drawn = torch.cat([m.weight.flatten() for m in convolutions])
    assert 1.8 < drawn.std() < 2.2


@pytest.mark.parametrize("size", [(28, 28), (7, 9)])
def test_smaller_maps_are_half_as_large_and_seen(size):
    """Layers at half the size see further than as many at the full one."""
    shape = (1, *size)
    reach = []
    for sizes in (1, 2, 3):
        net = PixelCNNPPDecoder(
            0, shape, shape, positions_of(shape), channels=4, layers=1, sizes=sizes
        ).eval()
        reach.append(seen_by(net, shape, shape[1] * shape[2] - 1).sum())
        maps = net.rows(torch.zeros(1, 4, *size), torch.zeros(1, 0))
        assert [tuple(m[0].shape[2:]) for m in maps] == [
            (-(-size[0] // 2**k), -(-size[1] // 2**k)) for k in range(sizes)
        ]
    assert reach[0] < reach[1] <= reach[2]


def test_made_without_hidden_layers_is_a_belief_network():
    """log p(x_i | x_<i) is a logistic regression on the variables before."""
    model = AutoregressiveModel((5,), "made", decoder_args={"hidden": []})
    assert isinstance(model.decoder, MADEDecoder)
    (layer,) = model.decoder.layers
    x = torch.randn(7, 5).sign().clamp_min(0)
    expected = torch.zeros(7)
    for i in range(5):
        logit = layer.bias[i] + x[:, :i] @ layer.weight[i, :i]
        expected += F.logsigmoid(torch.where(x[:, i] > 0, logit, -logit))
    assert_close(model.log_prob(x), expected)
