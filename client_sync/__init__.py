"""The field client of Seere: encrypted stores, the wire protocol, and the synchronisation that survives bad links."""
