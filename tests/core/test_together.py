"""Work on many items at a time that may fail."""

from __future__ import annotations

import pytest

from blender_core.errors import ModelOutputError
from blender_core.together import atogether, together


class Halving:
    """Halves even numbers, and cannot stand odd ones."""

    def __init__(self):
        self.asked = []

    def __call__(self, items):
        self.asked.append(list(items))
        for item in items:
            if item % 2:
                raise ValueError(f"{item} is odd")
        return (item // 2 for item in items)

    async def later(self, items):
        return self(items)


@pytest.fixture(params=["sync", "async"])
def run(request):
    async def awaited(items, work, **options):
        return [result async for result in atogether(items, work.later, **options)]

    async def called(items, work, **options):
        return list(together(items, work, **options))

    return {"sync": called, "async": awaited}[request.param]


def told(results):
    return [str(one) if isinstance(one, Exception) else one for one in results]


async def test_what_works_together_is_asked_once(run):
    work = Halving()
    assert await run([2, 4, 6], work) == [1, 2, 3]
    assert work.asked == [[2, 4, 6]]
    assert await run([], work) == []
    assert work.asked == [[2, 4, 6]]


async def test_a_failure_costs_only_what_it_is_about(run):
    work = Halving()
    assert told(await run([2, 3, 4, 5], work)) == [1, "3 is odd", 2, "5 is odd"]
    assert work.asked == [[2, 3, 4, 5], [2], [3], [4], [5]]


async def test_one_item_is_tried_once(run):
    work = Halving()
    assert told(await run([3], work)) == ["3 is odd"]
    assert work.asked == [[3]]


async def test_after_so_many_failures_in_a_row_the_rest_fails_as_the_joint_work_did(run):
    work = Halving()
    found = await run([1, 3, 2, 5, 7, 9, 2, 11], work, patience=3)
    said = ["1 is odd", "3 is odd", 1, "5 is odd", "7 is odd", "9 is odd", "1 is odd", "1 is odd"]
    assert told(found) == said
    assert work.asked[1:] == [[1], [3], [2], [5], [7], [9]]


async def test_what_is_fatal_is_raised(run):
    with pytest.raises(ValueError, match="3 is odd"):
        await run([2, 3, 5], Halving(), fatal=(ValueError,))


async def test_another_number_of_results_is_a_failure(run):
    class Forgetful(Halving):
        def __call__(self, items):
            return list(super().__call__(items))[:1]

    assert await run([2, 4], Forgetful()) == [1, 2]  # alone, nothing is missing

    class Silent(Halving):
        def __call__(self, items):
            return []

    found = await run([2, 4], Silent())
    assert [type(one) for one in found] == [ModelOutputError] * 2


def test_results_come_as_soon_as_they_are_there():
    work = Halving()
    results = together([2, 3, 4], work)
    assert next(results) == 1
    assert work.asked == [[2, 3, 4], [2]]
