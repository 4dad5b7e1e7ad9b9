"""Who may ask for what: hosts, pairing, rates, and the answers to those who may not."""
