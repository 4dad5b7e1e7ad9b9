"""A bundle: the folder that holds everything a soundscape is made with, verified when it is opened."""

from a2m_edge.bundle.opening import DEFAULT_BUNDLE as DEFAULT_BUNDLE
from a2m_edge.bundle.opening import Bundle as Bundle
from a2m_edge.bundle.opening import open_bundle as open_bundle
from a2m_edge.bundle.opening import seal_bundle as seal_bundle
