"""``a2m-edge bench``: how fast this machine plays a bundle, stage by stage, beside what it could do at most."""
