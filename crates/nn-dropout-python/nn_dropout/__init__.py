from ._core import Noise, Draw, kernel_name
