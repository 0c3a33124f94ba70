"""The parts of `kill_anywhere.py`: commands that are killed, and the comparison of what runs leave."""
