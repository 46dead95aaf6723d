"""What a reader sees: real messages out of the local servers, drawn as each platform shows them."""
