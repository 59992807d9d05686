"""What is made of a fetched file: the archived mp3 and the 16 kHz track that is transcribed."""
