"""Programs that measure the product on the machine they run on; documents send their readers here."""
