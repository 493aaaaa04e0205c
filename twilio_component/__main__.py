"""``python -m twilio_component``, the same as the command ``twilio-component``."""

import sys

from twilio_component.cli.entry import main

sys.exit(main())
