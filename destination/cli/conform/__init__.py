"""The conformance cases, and what runs them against a server in any language."""
