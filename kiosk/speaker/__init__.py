"""The speaker process: live sound, the bed beneath it, and the loudspeaker."""
