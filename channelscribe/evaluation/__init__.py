"""How good transcripts are, measured where the script is known."""
