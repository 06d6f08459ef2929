"""Models, methods and metrics over a folder of images, through the queue, into a table and a page."""
