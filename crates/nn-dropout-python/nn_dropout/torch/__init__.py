from . import _op, _settings
