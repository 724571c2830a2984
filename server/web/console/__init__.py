"""The pages of the network's people."""
