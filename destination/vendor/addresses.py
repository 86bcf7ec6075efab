"""
Which addresses a vendor may have.

The check is made on the address that is about to be dialled, for each connection: names resolve
to what their owner likes, differently each time, and addresses have many spellings. Python's own
``is_global`` lets multicast, relays and some cloud metadata addresses through, so the networks
are listed here.
"""

import socket
from ipaddress import IPv6Address, ip_address, ip_network

_REFUSED_V4 = [
    ip_network(each)
    for each in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade translation, some clouds' metadata
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's own agent
        "169.254.0.0/16",  # link-local, most clouds' metadata
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments, a cloud's metadata
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",
    )
]
_GLOBAL_V6 = ip_network("2000::/3")
_REFUSED_V6 = [
    ip_network(each)
    for each in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",
        "2002::/16",  # 6to4: an IPv4 address inside
        "3fff::/20",
    )
]

NOT_PUBLIC = "the address is not public"


class NotPublic(OSError):
    """The address that was about to be dialled is not public; nothing was sent to it."""


def is_public(address: str) -> bool:
    """
    True for an address on the public internet.

    Everything else is refused: private, loopback, link-local, shared, documentation, multicast
    and reserved networks, and IPv6 addresses that hold an IPv4 one.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        return parsed in _GLOBAL_V6 and not any(parsed in each for each in _REFUSED_V6)
    return not any(parsed in each for each in _REFUSED_V4)


def require_public(address: str) -> None:
    """Raise NotPublic for an address that may not be dialled."""
    if not is_public(address):
        raise NotPublic(NOT_PUBLIC)


def public_socket(
    info: tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]],
) -> socket.socket:
    """A socket for the address that ``getaddrinfo`` gave. Raises NotPublic before it is dialled."""
    family, kind, protocol, _, address = info
    require_public(address[0])
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)  # noqa: FBT003 - the standard library takes it so
    return made
