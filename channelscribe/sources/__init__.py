"""Finding and fetching: what a source lists, and the audio of one video, through yt-dlp as a library."""
