"""Feeling in, bars without end out: explicit music theory with tables estimated from CC0 scores."""

from a2m_edge.composer.composer import Composer
from a2m_edge.composer.plan import Plan
from a2m_edge.composer.tables import ComposerTables
from a2m_edge.composer.theme import Theme

__all__ = ["Composer", "ComposerTables", "Plan", "Theme"]
