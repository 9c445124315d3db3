"""What the GenICam backends share: settings by their SFNC names, features by any name, pixel formats, block numbers."""
