"""Publishers: adapters of `app.ports.Publisher`. They make DNS show what the store desires, and decide nothing."""
