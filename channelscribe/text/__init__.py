"""sentences (NLTK Punkt), tokens and entities (spaCy), each with its characters and time."""
