"""De-identification, envelopes, signatures, the ledger."""
