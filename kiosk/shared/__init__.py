"""What every process of the kiosk knows: messages, channels, rings, counters, settings, logs."""
