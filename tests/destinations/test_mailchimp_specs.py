"""
Mailchimp's own API descriptions describe all that passes between us and the stand-in.

``VENDOR_SPECS`` names the folder with the descriptions; without it these tests are skipped. With
it, every test that uses ``newsletter`` checks its own exchanges too.
"""

from dataclasses import replace

import openapi
import pytest
from newsletter import PATH, SPECS, newsletter, person, problem

from destinations.sandbox.mailchimp import CLUB

pytestmark = pytest.mark.skipif(
    openapi.folder() is None, reason="VENDOR_SPECS does not name the vendors' descriptions"
)

ALL = {
    "LTV": 12.5,
    "BORN": "2001-02-03",
    "PLAN": "paid",
    "ADDRESS": {"addr1": "1 Main St", "city": "Ulm", "state": "BW", "zip": "89073"},
    "vip": True,
    "language": "de",
    "tags": ["one", "two"],
}
DELETE = {"mode": "mirror", "onRemove": "deletePermanently", "confirmDelete": True}


async def exchanges(serve):
    """One of every request that the destination can make, and most answers."""
    async with newsletter(serve) as news:
        await news.served.plugin("news").check()
        await news.served.result("list_objects", path=PATH)
        await news.call("add", *(person(n, **ALL) for n in range(9)))
        await news.call("add", person(1, **ALL | {"LTV": None}), tags=["three"])
        await news.call("add", person(2, status="unsubscribed"), existingStatus="overwrite")
        options = {"existingStatus": "overwrite", "compliancePending": True}
        await news.call("add", person(2), **options)
        await news.call("add", person(1), person(99), mode="insert")
        await news.call("change", person(1, vip=False), person(98), mode="update")
        await news.call("add", person(1, email="a@nobody.example"), object=CLUB)
        await news.call("add", person(1, ADDRESS={"addr1": [1]}))
        await news.call("remove", person(1), person(2), person(97), mode="mirror")
        for way in ("unsubscribe", "removeTags", "nothing"):
            await news.call("remove", person(3), mode="mirror", onRemove=way, tags=["one"])
        await news.call("remove", person(4), person(96), **DELETE)
        await news.call("add", person(4))
        await news.ask("behavior", next=[problem(401, "API Key Invalid")])
        await news.served.rpc("list_objects", path=PATH)
        assert len({(one.method, one.path.count("/")) for one in news.exchanges}) >= 10
        return list(news.exchanges)


async def test_all_that_is_said_is_described(serve):
    """Each request and each answer is as both editions of the description say."""
    made = await exchanges(serve)

    for description in openapi.descriptions(openapi.folder(), *SPECS):
        assert [told for one in made for told in description.problems(one)] == []


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize(
    "spoilt",
    [
        {"path": "/lists/a1b2c3d4e5/members"},
        {"method": "PATCH"},
        {"query": {"skip_merge_validaton": "true"}},
        {"query": {"skip_merge_validation": "yes"}},
        {"sent": b"{}"},
        {"sent": b'{"members": [{"status": "archived"}]}'},
        {"sent": b'{"members": [{"vip": "yes"}]}'},
        {"received": b'{"new_members": {}}'},
        {"received": b'{"errors": [{"error_code": "ERROR_UNHEARD_OF"}]}'},
        {"status": 400},
        {"content_type": "text/html"},
    ],
)
async def test_what_is_not_described_is_found(serve, name, spoilt):
    """An exchange that is spoilt in one place is noticed, so that silence means something."""
    async with newsletter(serve) as news:
        await news.call("add", person(1))
        [bulk] = [one for one in news.exchanges if one.method == "POST"]

    [description] = openapi.descriptions(openapi.folder(), name)
    assert list(description.problems(bulk)) == []
    assert list(description.problems(replace(bulk, **spoilt)))
