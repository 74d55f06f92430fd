"""Small requests that go to a replica together."""

import asyncio

from serve.sampling.gatherer import CALLS, Gatherer


def test_one_that_comes_as_calls_end_is_asked_for():
    """Calls that end in one turn of the loop, and a request in the turn between."""

    async def scene():
        gatherer, ended = Gatherer(together=True), asyncio.Event()

        async def ask(requests):
            await ended.wait()
            return [b"rows"] * len(requests)

        def wanted():
            return asyncio.create_task(gatherer.answer("model", None, ask))

        first = [wanted() for _ in range(CALLS)]
        await asyncio.sleep(0.01)
        late = []
        for each in first:  # told of an answer, each asks again in that very turn
            each.add_done_callback(lambda _: late.append(wanted()))
        ended.set()
        await asyncio.gather(*first)
        late += [wanted() for _ in range(3)]
        return await asyncio.wait_for(asyncio.gather(*late), 5)

    assert set(asyncio.run(scene())) == {b"rows"}


def test_what_waits_goes_together():
    async def scene():
        gatherer, sizes = Gatherer(together=True), []

        async def ask(requests):
            sizes.append(len(requests))
            await asyncio.sleep(0.01)
            return [b"rows"] * len(requests)

        await asyncio.gather(*(gatherer.answer("model", None, ask) for _ in range(20)))
        return sizes

    assert asyncio.run(scene()) == [20]
