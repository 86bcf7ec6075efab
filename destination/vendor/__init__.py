"""The way out: one client for every vendor, over one transport."""
