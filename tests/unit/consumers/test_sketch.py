from __future__ import annotations

import random

from consumers.sketch import K, Sketch, hash64, union


def sketch(values: range | list[int]) -> Sketch:
    made = Sketch()
    for value in values:
        made.add(hash64(str(value)))
    return made


def test_counting_is_exact_below_k_however_often_a_thing_comes() -> None:
    values = [*range(K - 1), *range(K - 1)]
    random.Random(1).shuffle(values)
    assert sketch(values).count() == K - 1
    assert Sketch().count() == 0


def test_beyond_k_the_error_stays_within_four_standard_errors() -> None:
    for n in (300, 1_000, 20_000):
        assert abs(sketch(range(n)).count() - n) / n < 4 / (K - 2) ** 0.5


def test_order_does_not_matter() -> None:
    values = list(range(5_000))
    random.Random(2).shuffle(values)
    assert sketch(values).to_bytes() == sketch(range(5_000)).to_bytes()


def test_a_union_is_the_sketch_of_the_union() -> None:
    whole = sketch(range(3_000))
    parts = [sketch(range(0, 2_000)), sketch(range(1_000, 3_000)), Sketch()]
    assert union(parts).to_bytes() == whole.to_bytes()
    assert union([]).count() == 0


def test_bytes_come_back_as_the_same_sketch_and_stay_small() -> None:
    whole = sketch(range(3_000))
    assert Sketch(whole.to_bytes()).count() == whole.count()
    assert len(whole.to_bytes()) == 8 * K
