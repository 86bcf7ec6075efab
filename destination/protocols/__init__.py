"""Front ends: protocols through which rows arrive."""
