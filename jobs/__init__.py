"""The shared room: what a job is and how it travels between the HTTP room and the GPU room."""
