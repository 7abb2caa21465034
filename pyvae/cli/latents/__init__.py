"""Commands from data to latents and back, and what lies between."""
