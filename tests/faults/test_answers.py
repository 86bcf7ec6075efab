"""Faults F18 to F40: what a vendor may answer."""

from scene import rows

from destination.testing.script import Script, Step


async def test_f26_a_refused_row_is_refused_alone(stage):
    """A 422 for one row rejects that row, after one attempt."""
    scene = await stage()
    await scene.vendor.play(Script(rows={"2": (Step(422),)}))

    answer = await scene.call("add", rows(5))

    assert answer.rejected == {2: "VENDOR_REJECTED: the vendor answered 422"}
    assert scene.requests() == 5
    await scene.heals()
