"""How well a bundle understands what visitors write in many languages."""
