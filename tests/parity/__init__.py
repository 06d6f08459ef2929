"""Our maps beside those of other libraries."""

from workers.models.torchvision_compat import torchvision  # before the libraries that import it themselves

__all__ = ["torchvision"]
