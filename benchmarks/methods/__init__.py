"""Every method measured: its speed beside other libraries, its map beside the truth of phantoms."""

from workers.models.torchvision_compat import torchvision  # before the libraries that import it themselves

__all__ = ["torchvision"]
