"""Askings of one moment go together, each gets its own answer, and nobody is held up by another's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from gateway.gathering import Gathering


class Server:
    """Answers ten times what is asked, once it may go on; fails where -1 is asked."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.goes_on = asyncio.Event()

    async def __call__(self, asked: Sequence[int]) -> list[int]:
        self.asked.append(list(asked))
        await self.goes_on.wait()
        if -1 in asked:
            raise ConnectionError("away")
        return [10 * one for one in asked]


async def gathered(gathering: Gathering[int, int], *asked: int) -> list[asyncio.Task[int]]:
    """These ask, one after the other."""
    tasks = [asyncio.create_task(gathering.ask(one)) for one in asked]
    await asyncio.sleep(0)
    return tasks


async def test_who_comes_while_it_answers_goes_next_and_together() -> None:
    server = Server()
    gathering = Gathering(server, 3)
    first = await gathered(gathering, 1)
    await asyncio.sleep(0)
    rest = await gathered(gathering, 2, 3, 4, 5)
    assert gathering.waiting == 4
    server.goes_on.set()
    assert await asyncio.gather(*first, *rest) == [10, 20, 30, 40, 50]
    assert server.asked == [[1], [2, 3, 4], [5]]
    assert gathering.waiting == 0


async def test_an_error_is_theirs_who_went_together_alone() -> None:
    server = Server()
    gathering = Gathering(server, 2)
    server.goes_on.set()
    got = await asyncio.gather(*(await gathered(gathering, 1, -1, 3)), return_exceptions=True)
    assert [type(one) for one in got] == [ConnectionError, ConnectionError, int]


async def test_who_has_gone_holds_up_nobody() -> None:
    server = Server()
    gathering = Gathering(server, 3)
    gone, stays = await gathered(gathering, 1, 2)
    await asyncio.sleep(0)
    gone.cancel()
    server.goes_on.set()
    assert await stays == 20
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await gathering.ask(3) == 30


async def test_for_who_has_gone_before_nothing_is_asked() -> None:
    server = Server()
    gathering = Gathering(server, 2)
    first = await gathered(gathering, 1)
    await asyncio.sleep(0)
    gone, stays, goes_too = await gathered(gathering, 2, 3, 4)
    gone.cancel()
    goes_too.cancel()
    server.goes_on.set()
    assert await asyncio.gather(*first, stays) == [10, 30]
    assert server.asked == [[1], [3]]
    assert await gathering.ask(5) == 50
    await gathering.close()


async def test_it_ends_once_all_are_answered() -> None:
    server = Server()
    gathering = Gathering(server, 1)
    asked = await gathered(gathering, 1, 2)
    closing = asyncio.create_task(gathering.close())
    await asyncio.sleep(0)
    assert not closing.done()
    server.goes_on.set()
    await closing
    assert [one.result() for one in asked] == [10, 20]
