"""The spec file does what its own tests say."""

from pathlib import Path

from destination.testing.specs import spec_tests

test_acme_crm = spec_tests(Path(__file__).with_name("acme_crm.toml"))
