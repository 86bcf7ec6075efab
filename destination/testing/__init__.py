"""Tools for tests of destinations: shipped, so that third parties have them too."""
