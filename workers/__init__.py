"""The GPU room: models, explanation methods and the processes that run them. It never imports FastAPI."""
