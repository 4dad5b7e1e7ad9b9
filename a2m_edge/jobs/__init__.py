"""Many jobs of one kind, done in the processes of this machine or on a cluster, with the same answers."""
