"""Texts in many languages: translations, texts with emotions, visitors' comments, and the vocabulary that they need."""
