"""The Twilio component: everything that knows Twilio's API. Hosts load it through its entry point."""
