"""Local stand-ins of the vendors: real servers on loopback, for the demo, for tests and for trying."""
