"""The wire contract, version 1: what PROTOCOL.md says, as code. Imports nothing else of ours."""
