"""The vault: opening what is sealed, for whom it is permitted, and handing its keys on to further readers."""
