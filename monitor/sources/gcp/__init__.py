"""Google Cloud as a source: asked over HTTP with google-auth's credentials, captured, decoded."""
