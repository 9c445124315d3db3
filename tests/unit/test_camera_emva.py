"""The sensor's figures against a synthetic sensor whose gain, noise and defects are known, as it makes its pictures."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from camera.emva import Level, TooFewPicturesError, characterise, defects, level, linearity_error, snr

SIDE = 128


@dataclass
class SyntheticSensor:
    """Electrons are drawn by Poisson, read with normal noise, multiplied, offset, rounded and cut off."""

    gain: float  # DN per electron
    read_noise: float  # electrons
    dsnu: float = 0.0  # electrons
    prnu: float = 0.0
    full_well: float = 1e9
    bits: int = 12
    offset: float = 60.0
    seed: int = 0
    hot: tuple[tuple[int, int], ...] = ()
    dead: tuple[tuple[int, int], ...] = ()
    draw: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.draw = np.random.default_rng(self.seed)
        self.dark_pattern = self.draw.normal(0, self.dsnu, (SIDE, SIDE)) + 10.0 * bool(self.dsnu)
        self.response = np.maximum(self.draw.normal(1, self.prnu, (SIDE, SIDE)), 0)
        for x, y in self.dead:
            self.response[y, x] = 0.2

    def take(self, count: int, electrons: float, bend: float = 0.0, tilt: float = 0.0) -> NDArray[np.uint16]:
        """Pictures of even light (tilt: brighter to the right); bend: how far from linear."""
        light = electrons * (1 + tilt * np.linspace(-0.5, 0.5, SIDE)) * self.response * (1 - bend * electrons)
        drawn = self.draw.poisson(np.broadcast_to(light, (count, SIDE, SIDE))) + self.dark_pattern
        drawn = np.minimum(drawn + self.draw.normal(0, self.read_noise, drawn.shape), self.full_well)
        for x, y in self.hot:
            drawn[:, y, x] += 300.0 / self.gain
        return np.clip(np.rint(self.gain * drawn + self.offset), 0, 2**self.bits - 1).astype(np.uint16)

    @property
    def highest(self) -> int:
        """The largest DN."""
        return 2**self.bits - 1


@settings(max_examples=6, deadline=None)
@given(st.floats(0.5, 2.0), st.floats(3.0, 20.0), st.floats(1.0, 10.0), st.floats(0.004, 0.03), st.integers(0, 10_000))
def test_what_is_known_is_found(gain: float, noise: float, dsnu: float, prnu: float, seed: int) -> None:
    """Gain within 3 %, dark noise within 4 %, DSNU within 15 %, PRNU within 10 %, a linear sensor is linear."""
    sensor = SyntheticSensor(gain, noise, dsnu, prnu, seed=seed)
    most = (sensor.highest - sensor.offset) / gain
    dark = level(sensor.take(32, 0.0), 0.0)
    bright = [level(sensor.take(16, share * most), share) for share in (0.1, 0.2, 0.35, 0.5, 0.6, 0.68)]
    found = characterise(dark, bright, sensor.highest)
    assert found.gain == pytest.approx(gain, rel=0.03)
    assert found.dark_noise == pytest.approx(noise, rel=0.04)
    assert not found.dark_noise_is_limit
    assert found.dsnu == pytest.approx(dsnu, rel=0.15, abs=0.15 * noise)
    assert found.prnu == pytest.approx(prnu, rel=0.1, abs=0.0005)
    assert found.linearity_error is not None
    assert found.linearity_error < 0.005
    assert found.full_well == pytest.approx(most, rel=0.04)
    assert found.dynamic_range == pytest.approx(found.full_well / found.dark_noise)
    assert snr(dark, bright[3]) == pytest.approx(np.sqrt(0.5 * most), rel=0.15)


def test_saturation_is_where_the_noise_ends() -> None:
    """A full well below the converter's range: found where brighter pictures get quieter."""
    sensor = SyntheticSensor(0.5, 5.0, full_well=5000.0, bits=12)
    dark = level(sensor.take(8, 0.0))
    steps = [level(sensor.take(8, 5000.0 * share)) for share in np.arange(0.05, 1.3, 0.05)]
    found = characterise(dark, steps, sensor.highest)
    assert found.saturation_was_reached
    assert found.full_well == pytest.approx(5000.0, rel=0.06)
    assert found.snr_max == pytest.approx(np.sqrt(5000.0), rel=0.05)


def test_a_bent_response_is_not_linear() -> None:
    """A response that loses up to a tenth: the error is seen, and that of a straight one is not."""
    sensor = SyntheticSensor(1.0, 3.0)
    dark = level(sensor.take(4, 0.0))
    for bend, low, high in ((0.0, 0.0, 0.004), (5e-5, 0.01, 0.05)):
        levels = [level(sensor.take(4, 3500.0 * share, bend=bend), share) for share in (0.1, 0.3, 0.5, 0.7, 0.9)]
        error = linearity_error(dark, levels, 4000.0)
        assert error is not None
        assert low <= error <= high


def test_uneven_light_is_no_nonuniformity_of_the_sensor() -> None:
    """Light that is a fifth brighter on the right leaves the PRNU as it is."""
    sensor = SyntheticSensor(1.0, 5.0, prnu=0.01)
    dark = level(sensor.take(16, 0.0))
    found = characterise(dark, [level(sensor.take(16, 2000.0, tilt=0.2))], sensor.highest)
    assert found.prnu == pytest.approx(0.01, rel=0.1)


def test_light_that_flickers_is_no_noise() -> None:
    """Pictures whose whole brightness differs by 3 % have the temporal noise of their pixels."""
    sensor = SyntheticSensor(1.0, 5.0)
    steady = level(sensor.take(16, 1000.0))
    flicker = level(np.concatenate([sensor.take(1, 1000.0 * share) for share in np.linspace(0.97, 1.03, 16)]))
    assert flicker.temporal == pytest.approx(steady.temporal, rel=0.03)


def test_noise_below_rounding_is_told_as_a_limit() -> None:
    """A dark picture without noise says only that the noise is small."""
    sensor = SyntheticSensor(0.05, 1.0, bits=8, offset=4.0)
    dark = level(sensor.take(8, 0.0))
    found = characterise(dark, [level(sensor.take(8, 2000.0))], sensor.highest)
    assert found.dark_noise_is_limit
    assert found.dark_noise >= 1.0


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.integers(2, SIDE - 3), st.integers(2, SIDE - 3)), min_size=2, max_size=12, unique=True),
    st.integers(0, 1000),
)
def test_hot_and_dead_pixels_are_found_where_they_are(places: list[tuple[int, int]], seed: int) -> None:
    """Exactly the planted ones, single or side by side."""
    sparse = [place for number, place in enumerate(places) if all(_apart(place, other) for other in places[:number])]
    half = len(sparse) // 2
    hot, dead = tuple(sparse[:half]), tuple(sparse[half:])
    sensor = SyntheticSensor(1.0, 4.0, 2.0, 0.01, seed=seed, hot=hot, dead=dead)
    dark, bright = (sensor.take(8, electrons).mean(axis=0) for electrons in (0.0, 2000.0))
    found = defects(dark, bright)
    assert set(found.hot) == set(hot)
    assert set(found.dead) == set(dead)


def _apart(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return max(abs(one[0] - other[0]), abs(one[1] - other[1])) > 3


def test_what_the_pictures_do_not_say_is_refused() -> None:
    """One picture, nothing bright, and pictures that were smoothed each have their text."""
    sensor = SyntheticSensor(1.0, 5.0)
    with pytest.raises(TooFewPicturesError, match="two"):
        level(sensor.take(1, 0.0))
    dark = level(sensor.take(4, 0.0))
    with pytest.raises(TooFewPicturesError, match="even light"):
        characterise(dark, [level(sensor.take(4, 3900.0))], sensor.highest)
    with pytest.raises(TooFewPicturesError, match="smooths"):
        characterise(dark, [Level(1000.0, dark.temporal / 2, 0.0)], sensor.highest)
