"""How the sample channel and its models are made, from nothing but espeak-ng. Only maintainers run this."""
