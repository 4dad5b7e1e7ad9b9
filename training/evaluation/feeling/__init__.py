"""How well feelings are recognised: tables and pictures."""
