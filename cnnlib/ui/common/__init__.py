"""What several pages share: forms, pickers, addresses, messages, browser components."""
