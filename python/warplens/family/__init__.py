"""The general alignment model and its presets: any steps, penalties and ends, one lens for all."""
