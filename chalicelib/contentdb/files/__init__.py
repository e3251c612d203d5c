"""What is below /packages, /uploads and /thumbnails."""
