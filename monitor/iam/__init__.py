"""What identities can do in effect, and who can become them: policies, trust and escalation evaluated. Pure."""
