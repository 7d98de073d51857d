"""Hypothesis strategies that draw valid cases over the whole contract, one a family.

What depends on something else is drawn after it and within what it allows (a kernel after the
padding that it has to fit into, the lengths last of all), so that no draw is thrown away. Sizes
are small: an example costs milliseconds, and the corners that matter lie at small numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from keras_convkit import geometry
from keras_convkit.parity.cases import FAMILIES, RANKS, Case, make_case

Draw = Callable[[st.SearchStrategy[Any]], Any]

# The longest input in each rank, so that all ranks cost about the same.
LONGEST = {1: 9, 2: 6, 3: 4}
MAX_KERNEL, MAX_STRIDE, MAX_DILATION, MAX_PADDING = 4, 3, 3, 3
MODES = ("zeros", "reflect", "replicate", "circular")
ACTIVATIONS = ("linear", "relu", "tanh", "sigmoid", "softplus", "elu", "silu", "gelu")
INTERPOLATIONS = {
    1: ("nearest", "linear", "cubic", "bicubic", "lanczos3", "lanczos5"),
    2: ("nearest", "linear", "bilinear", "cubic", "bicubic", "lanczos3", "lanczos5"),
    3: ("nearest", "linear", "trilinear", "cubic", "bicubic", "lanczos3", "lanczos5"),
}

_amount = st.integers(0, MAX_PADDING)
_pair = st.tuples(_amount, _amount)
_channels = st.integers(1, 4)
_data_format = st.sampled_from(("channels_last", "channels_first"))


def case(family: str) -> st.SearchStrategy[Case]:
    """Valid cases of `family`, one of `keras_convkit.parity.cases.FAMILIES`, in every rank."""
    return st.sampled_from(RANKS).flatmap(_FAMILIES[family])


def case_of_rank(family: str, rank: int) -> st.SearchStrategy[Case]:
    """Valid cases of `family` in one rank."""
    return _FAMILIES[family](rank)


def _of_rank(draw_case: Callable[[Draw, int], Case]) -> Callable[[int], st.SearchStrategy[Case]]:
    """A function of `draw` and the rank as a function that gives the rank's strategy."""
    return st.composite(draw_case)


def _ints(rank: int, low: int, high: int) -> st.SearchStrategy[Any]:
    """An int for all dimensions, or a tuple or list with one a dimension."""
    one = st.integers(low, high)
    several = st.lists(one, min_size=rank, max_size=rank)
    return one | several.map(tuple) | several


def _per_dimension(value: Any, rank: int) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * rank


def _batch(draw: Draw) -> list[int]:
    return draw(st.lists(st.integers(1, 2), min_size=1, max_size=2))


def _lengths_within(draw: Draw, rank: int, shortest: list[int]) -> tuple[int, ...]:
    return tuple(draw(st.integers(low, LONGEST[rank])) for low in shortest)


def _entries(draw: Draw, rank: int, entry: st.SearchStrategy[Any]) -> tuple[Any, list[Any]]:
    """Padding as a user writes it, and its entry of each dimension.

    One word or int for all dimensions, one entry a dimension, or in 1D a bare pair.
    """
    several = draw(st.booleans())
    first = draw(entry)
    if isinstance(first, (str, int)) and not several:
        return first, [first] * rank
    entries = [first, *(draw(entry) for _ in range(rank - 1))]
    bare = rank == 1 and isinstance(first, tuple) and not several
    return first if bare else tuple(entries), entries


def _sides(entry: Any) -> Any:
    """An entry as geometry takes it: a word, or `(before, after)`."""
    return (entry, entry) if isinstance(entry, int) else entry


def _tail(draw: Draw) -> dict[str, Any]:
    """Activation and bias, now and then left at their defaults."""
    options = {"activation": st.sampled_from((None, *ACTIVATIONS)), "use_bias": st.booleans()}
    return {name: draw(values) for name, values in options.items() if draw(st.booleans())}


def _window(draw: Draw, rank: int) -> tuple[dict[str, Any], tuple[int, ...]]:
    """The options of a sliding window, and spatial lengths that it fits into."""
    longest = LONGEST[rank]
    word = st.sampled_from(("valid", "same", "causal"))
    padding, entries = _entries(draw, rank, word | _amount | _pair)
    strides = draw(_ints(rank, 1, MAX_STRIDE))
    dilation = draw(_ints(rank, 1, MAX_DILATION))
    kernel, modes, lengths = [], [], []
    for entry, s, d in zip(
        map(_sides, entries),
        _per_dimension(strides, rank),
        _per_dimension(dilation, rank),
        strict=True,
    ):
        room = longest + (sum(entry) if isinstance(entry, tuple) else 0)
        # 'same' and 'causal' make room for any kernel.
        widest = MAX_KERNEL if entry in ("same", "causal") else (room - 1) // d + 1
        kernel.append(draw(st.integers(1, min(widest, MAX_KERNEL))))
        e = geometry.reach(kernel[-1], d)
        fitting = [n for n in range(1, longest + 1) if geometry.conv_length(entry, n, s, e) > 0]
        reflecting = [n for n in fitting if max(geometry.padding_amounts(entry, n, s, e)) < n]
        modes.append(draw(st.sampled_from(MODES if reflecting else ("zeros", *MODES[2:]))))
        lengths.append(draw(st.sampled_from(reflecting if modes[-1] == "reflect" else fitting)))
    config = {
        "kernel_size": _compact(draw, kernel),
        "strides": strides,
        "padding": padding,
        "dilation_rate": dilation,
        "padding_mode": _compact(draw, modes),
        "data_format": draw(_data_format),
    }
    return config | _tail(draw), tuple(lengths)


def _compact(draw: Draw, values: list[Any]) -> Any:
    """`values` as a tuple, or now and then as the one value that all of them are."""
    return values[0] if len(set(values)) == 1 and draw(st.booleans()) else tuple(values)


def _groups(draw: Draw) -> tuple[int, int, int]:
    """Groups, input channels and filters; as often as not one group."""
    groups = draw(st.just(1) | st.integers(2, 3))
    return groups, groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))


def _conv(draw: Draw, rank: int) -> Case:
    config, lengths = _window(draw, rank)
    groups, channels, filters = _groups(draw)
    config |= {"filters": filters, "groups": groups}
    return _case(draw, "Conv", rank, config, channels, lengths)


def _depthwise_conv(draw: Draw, rank: int) -> Case:
    config, lengths = _window(draw, rank)
    config |= {"depth_multiplier": draw(st.integers(1, 3))}
    return _case(draw, "DepthwiseConv", rank, config, draw(_channels), lengths)


def _separable_conv(draw: Draw, rank: int) -> Case:
    config, lengths = _window(draw, rank)
    config |= {"filters": draw(_channels), "depth_multiplier": draw(st.integers(1, 3))}
    return _case(draw, "SeparableConv", rank, config, draw(_channels), lengths)


def _conv_transpose(draw: Draw, rank: int) -> Case:
    longest = LONGEST[rank]
    kernel = draw(_ints(rank, 1, MAX_KERNEL))
    strides = draw(_ints(rank, 1, MAX_STRIDE))
    dilation = draw(_ints(rank, 1, MAX_DILATION))
    steps = _per_dimension(strides, rank)
    reaches = list(
        map(geometry.reach, _per_dimension(kernel, rank), _per_dimension(dilation, rank))
    )
    output_padding = draw(
        st.none()
        | st.integers(0, min(steps) - 1)
        | st.tuples(*(st.integers(0, s - 1) for s in steps))
    )
    # What may be cut in all, so that one step of the longest input's output is left.
    most = min(
        geometry.full_transposed_length(longest, s, e) - 1
        for s, e in zip(steps, reaches, strict=True)
    )
    front = st.integers(0, min(most, MAX_PADDING))
    cut = front.flatmap(lambda f: st.tuples(st.just(f), st.integers(0, min(most - f, MAX_PADDING))))
    both = st.integers(0, min(most // 2, MAX_PADDING))
    padding, entries = _entries(draw, rank, st.sampled_from(("valid", "same")) | both | cut)
    shortest = [
        next(
            n
            for n in range(1, longest + 1)
            if geometry.conv_transpose_length(entry, n, s, e, o) > 0
        )
        for entry, s, e, o in zip(
            map(_sides, entries), steps, reaches, _per_dimension(output_padding, rank), strict=True
        )
    ]
    groups, channels, filters = _groups(draw)
    config = {
        "filters": filters,
        "kernel_size": kernel,
        "strides": strides,
        "padding": padding,
        "output_padding": output_padding,
        "dilation_rate": dilation,
        "groups": groups,
        "data_format": draw(_data_format),
    }
    lengths = _lengths_within(draw, rank, shortest)
    return _case(draw, "ConvTranspose", rank, config | _tail(draw), channels, lengths)


def _amounts(draw: Draw, rank: int) -> tuple[Any, list[tuple[int, int]]]:
    """Cropping or padding as a user writes it, and its pair of each dimension."""
    form = draw(st.sampled_from(("int", "pairs") if rank == 1 else ("int", "ints", "pairs")))
    if form == "int":
        amount = draw(_amount)
        return amount, [(amount, amount)] * rank
    if form == "ints":
        amounts = draw(st.lists(_amount, min_size=rank, max_size=rank))
        return tuple(amounts), [(amount, amount) for amount in amounts]
    pairs = draw(st.lists(_pair, min_size=rank, max_size=rank))
    return (pairs[0] if rank == 1 and draw(st.booleans()) else tuple(pairs)), pairs


def _cropping(draw: Draw, rank: int) -> Case:
    # One step more than the widest cropping has to be there, whatever the rank's usual sizes.
    cropping, pairs = _amounts(draw, rank)
    lengths = [sum(pair) + draw(st.integers(1, 3)) for pair in pairs]
    config = {"cropping": cropping, "data_format": draw(_data_format)}
    return _case(draw, "Cropping", rank, config, draw(_channels), lengths)


def _padding_argument(draw: Draw, rank: int) -> tuple[Any, list[tuple[int, int]]]:
    """`_amounts`, in 1D also as the dictionary that Keras's padding layers take."""
    padding, pairs = _amounts(draw, rank)
    if rank == 1 and draw(st.booleans()):
        padding = dict(zip(("left_pad", "right_pad"), pairs[0], strict=True))
    return padding, pairs


def _zero_padding(draw: Draw, rank: int) -> Case:
    padding, _ = _padding_argument(draw, rank)
    config = {"padding": padding, "data_format": draw(_data_format)}
    lengths = _lengths_within(draw, rank, [1] * rank)
    return _case(draw, "ZeroPadding", rank, config, draw(_channels), lengths)


def _padding(draw: Draw, rank: int) -> Case:
    padding, pairs = _padding_argument(draw, rank)
    modes = draw(st.lists(st.sampled_from(MODES), min_size=rank, max_size=rank))
    config = {
        "padding": padding,
        "padding_mode": _compact(draw, modes),
        "data_format": draw(_data_format),
    }
    if "zeros" in modes and draw(st.booleans()):
        config["value"] = draw(st.sampled_from((-1.5, 0.25, 2)))
    shortest = [
        max(pair) + 1 if mode == "reflect" else 1 for pair, mode in zip(pairs, modes, strict=True)
    ]
    lengths = _lengths_within(draw, rank, shortest)
    return _case(draw, "Padding", rank, config, draw(_channels), lengths)


def _up_sampling(draw: Draw, rank: int) -> Case:
    config = {
        "size": draw(_ints(rank, 1, 3)),
        "interpolation": draw(st.sampled_from(INTERPOLATIONS[rank])),
        "data_format": draw(_data_format),
    }
    lengths = _lengths_within(draw, rank, [1] * rank)
    return _case(draw, "UpSampling", rank, config, draw(_channels), lengths)


def _case(
    draw: Draw, family: str, rank: int, config: dict[str, Any], channels: int, lengths: Any
) -> Case:
    return make_case(
        family, rank, "drawn", config, channels=channels, lengths=lengths, batch=_batch(draw)
    )


_FAMILIES = {
    "Conv": _of_rank(_conv),
    "DepthwiseConv": _of_rank(_depthwise_conv),
    "SeparableConv": _of_rank(_separable_conv),
    "ConvTranspose": _of_rank(_conv_transpose),
    "Cropping": _of_rank(_cropping),
    "UpSampling": _of_rank(_up_sampling),
    "ZeroPadding": _of_rank(_zero_padding),
    "Padding": _of_rank(_padding),
}
assert set(_FAMILIES) == set(FAMILIES)
