"""Types that openapi-typescript makes of the API's description, compiled with what a client does with them."""
