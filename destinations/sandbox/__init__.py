"""Local stand-ins of the vendors: real servers on loopback, for the demo and tests."""
