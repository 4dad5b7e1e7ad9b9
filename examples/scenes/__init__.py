"""One file a picture: its composition and the hand that paints it."""
