"""Of the containers: what is checked of them without Docker, and their services as plain processes."""
