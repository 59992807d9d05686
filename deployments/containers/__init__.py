"""The containers of `docker/`: checked without Docker (`check`), and run as plain processes (`processes`)."""
