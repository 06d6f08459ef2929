"""Whether a method's maps show what a model has learned: asked once of every pair, on images of noise."""
