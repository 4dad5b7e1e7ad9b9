"""The IIIF of museums: manifests, pictures on demand, and annotations, over the network."""
